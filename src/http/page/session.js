// What a bound stream is used for: roster, presence, messages, and iq in both directions (RFC 6121).
//
// Events, besides those of the stream:
//   contacts {}                       roster, presence or requests changed
//   message  { with, text, mine, at, id, delayed, doubled }
//   failed   { id, condition }        a message of ours came back
//   pong     { ms }

import { NS, child, children, element, errorCondition } from './xml.js';

const IQ_TIMEOUT_MS = 20_000;
const MAX_KNOWN_IDS = 4000;
const MAX_CONTACTS = 2000;

/** `local@domain/resource` without the resource, in the case that addresses compare in. */
export function bare(jid) {
  return jid.split('/', 1)[0].toLowerCase();
}

export class Session extends EventTarget {
  contacts = new Map(); // bare JID → { jid, name, subscription, ask, resources: Map }
  requests = new Set(); // bare JIDs that want to see our presence
  doubled = 0;
  #stream;
  #waiting = new Map();
  #knownIds = new Set();
  #count = 0;

  /** `saved` is what `save()` gave before a reload: after a resumption nobody tells us again who is there. */
  constructor(stream, saved) {
    super();
    this.#stream = stream;
    this.requests = new Set(saved?.requests ?? []);
    for (const contact of saved?.contacts ?? []) {
      this.contacts.set(contact.jid, { ...contact, resources: new Map(contact.resources) });
    }
    stream.addEventListener('stanza', (event) => this.#onStanza(event.detail.root));
    stream.addEventListener('bound', () => this.#begin());
    stream.addEventListener('end', () => this.#forget('the session ended'));
  }

  save() {
    const contacts = [...this.contacts.values()].map((c) => ({ ...c, resources: [...c.resources] }));
    return { contacts, requests: [...this.requests] };
  }

  get me() {
    return bare(this.#stream.jid ?? '');
  }

  /** Sends an iq and resolves with the result; rejects with an Error whose message is the condition. */
  request(type, to, payload) {
    const id = `iq-${++this.#count}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, (w) => w.reject(new Error('no answer'))), IQ_TIMEOUT_MS);
      this.#waiting.set(id, { resolve, reject, timer, to: to ?? null });
      try {
        this.#stream.send(element('iq', { xmlns: NS.client, type, id, to }, payload));
      } catch (error) {
        this.#settle(id, (w) => w.reject(error));
      }
    });
  }

  /** Sends a chat message; returns its id, under which `acked` and `failed` speak of it. */
  say(to, text) {
    const id = crypto.randomUUID?.() ?? `m-${Date.now()}-${++this.#count}`;
    const body = element('body', {}, text);
    this.#stream.send(element('message', { xmlns: NS.client, type: 'chat', to, id }, body), id);
    return id;
  }

  /** Round trip through the server's router (XEP-0199), in milliseconds. */
  async ping(to) {
    const before = performance.now();
    try {
      await this.request('get', to, element('ping', { xmlns: NS.ping }));
    } catch (error) {
      // An error is an answer too: the way there and back works (XEP-0199 §4.1).
      if (error.message === 'no answer' || !error.condition) throw error;
    }
    this.#emit('pong', { ms: performance.now() - before });
  }

  /** Puts somebody on the roster and asks to see their presence. */
  async addContact(jid) {
    await this.request('set', null, element('query', { xmlns: NS.roster }, element('item', { jid })));
    this.#presence('subscribe', jid);
  }

  /** Lets a contact see our presence, or not. */
  answerRequest(jid, yes) {
    this.requests.delete(jid);
    this.#presence(yes ? 'subscribed' : 'unsubscribed', jid);
    if (yes && !['to', 'both'].includes(this.contacts.get(jid)?.subscription)) this.#presence('subscribe', jid);
    this.#emit('contacts', {});
  }

  /** The best availability among a contact's resources: online, away, or offline. */
  availability(jid) {
    const shows = [...(this.contacts.get(jid)?.resources.values() ?? [])];
    if (!shows.length) return 'offline';
    return shows.some((show) => ['', 'chat'].includes(show)) ? 'online' : 'away';
  }

  // ---- begin and end -----------------------------------------------------------------------

  async #begin() {
    this.#forget('a new session began');
    this.request('set', null, element('enable', { xmlns: NS.carbons })).catch(() => {});
    try {
      const result = await this.request('get', null, element('query', { xmlns: NS.roster }));
      for (const item of children(child(result, 'query', NS.roster), 'item')) this.#learn(item);
    } catch (error) {
      this.#emit('note', { tone: 'bad', text: `No roster: ${error.message}` });
    }
    // After the roster, so that presence finds its contact (RFC 6121 §2.2).
    this.#stream.send(element('presence', { xmlns: NS.client }));
    this.#emit('contacts', {});
  }

  #forget(reason) {
    for (const id of [...this.#waiting.keys()]) this.#settle(id, (w) => w.reject(new Error(reason)));
    this.contacts.clear();
    this.requests.clear();
    this.#emit('contacts', {});
  }

  // ---- stanzas -----------------------------------------------------------------------------

  #onStanza(root) {
    if (root.localName === 'iq') return this.#onIq(root);
    if (root.localName === 'presence') return this.#onPresence(root);
    this.#onMessage(root);
  }

  #onIq(root) {
    const type = root.getAttribute('type');
    if (type === 'result' || type === 'error') return this.#onAnswer(root, type);
    const query = root.firstElementChild;
    const is = (name, namespace) => query?.localName === name && query.namespaceURI === namespace;
    if (type === 'set' && is('query', NS.roster) && this.#fromServer(root)) {
      children(query, 'item').forEach((item) => this.#learn(item));
      this.#emit('contacts', {});
      return this.#reply(root, 'result');
    }
    if (type === 'get' && is('ping', NS.ping)) return this.#reply(root, 'result');
    if (type === 'get' && is('query', NS.disco)) return this.#reply(root, 'result', whatWeAre(query));
    const condition = element('service-unavailable', { xmlns: NS.stanzas });
    this.#reply(root, 'error', element('error', { type: 'cancel' }, condition)); // RFC 6120 §8.2.3
  }

  #onAnswer(root, type) {
    const id = root.getAttribute('id');
    const waiting = this.#waiting.get(id);
    if (!waiting || !this.#answersFor(root, waiting.to)) return;
    if (type === 'result') return this.#settle(id, (w) => w.resolve(root));
    const error = new Error(errorCondition(root));
    error.condition = error.message;
    this.#settle(id, (w) => w.reject(error));
  }

  // Only the one we asked may answer; for our own account the server may leave `from` out.
  #answersFor(root, to) {
    return to ? bare(root.getAttribute('from') ?? '') === bare(to) : this.#fromServer(root);
  }

  #fromServer(root) {
    const from = root.getAttribute('from');
    return !from || bare(from) === this.me || bare(from) === this.me.split('@')[1];
  }

  #reply(root, type, payload = []) {
    const to = root.getAttribute('from');
    this.#stream.send(element('iq', { xmlns: NS.client, type, id: root.getAttribute('id'), to }, payload));
  }

  #onPresence(root) {
    const from = bare(root.getAttribute('from') ?? '');
    const type = root.getAttribute('type');
    if (type === 'subscribe') this.requests.add(from);
    const contact = this.contacts.get(from);
    if (contact && type === null)
      contact.resources.set(root.getAttribute('from'), child(root, 'show')?.textContent ?? '');
    if (contact && type === 'unavailable') contact.resources.delete(root.getAttribute('from'));
    this.#emit('contacts', {});
  }

  #onMessage(root) {
    const carbon = children(root, null, NS.carbons)[0];
    // A carbon from anybody but our own account is a forgery (XEP-0280 §11).
    if (carbon && bare(root.getAttribute('from') ?? this.me) !== this.me) return;
    const inner = carbon ? child(child(carbon, 'forwarded', NS.forward), 'message') : root;
    if (inner) this.#hear(inner, carbon?.localName === 'sent');
  }

  #hear(root, mine) {
    const id = root.getAttribute('id');
    if (root.getAttribute('type') === 'error') return this.#emit('failed', { id, condition: errorCondition(root) });
    const body = child(root, 'body');
    if (!body) return;
    const peer = bare(root.getAttribute(mine ? 'to' : 'from') ?? this.me.split('@')[1]);
    const stamp = child(root, 'delay', NS.delay)?.getAttribute('stamp');
    const at = stamp && !Number.isNaN(Date.parse(stamp)) ? new Date(stamp) : new Date();
    this.#emit('message', {
      with: peer,
      text: body.textContent,
      mine,
      at,
      id,
      delayed: !!stamp,
      doubled: this.#seen(root, id),
    });
  }

  /** Doubled messages are shown, not swallowed: this page exists to see them. */
  #seen(root, id) {
    if (!id) return false;
    const key = `${root.getAttribute('from')} ${id}`;
    const seen = this.#knownIds.has(key);
    if (seen) this.doubled++;
    this.#knownIds.add(key);
    if (this.#knownIds.size > MAX_KNOWN_IDS) this.#knownIds.delete(this.#knownIds.values().next().value);
    return seen;
  }

  // ---- roster ------------------------------------------------------------------------------

  #learn(item) {
    const jid = bare(item.getAttribute('jid') ?? '');
    if (item.getAttribute('subscription') === 'remove') return this.contacts.delete(jid);
    if (!jid || (this.contacts.size >= MAX_CONTACTS && !this.contacts.has(jid))) return;
    const resources = this.contacts.get(jid)?.resources ?? new Map();
    const subscription = item.getAttribute('subscription') ?? 'none';
    this.contacts.set(jid, {
      jid,
      name: item.getAttribute('name'),
      subscription,
      ask: item.getAttribute('ask'),
      resources,
    });
  }

  #presence(type, to) {
    this.#stream.send(element('presence', { xmlns: NS.client, type, to }));
  }

  #settle(id, how) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(waiting?.timer);
    if (waiting) how(waiting);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function whatWeAre(query) {
  const identity = element('identity', { category: 'client', type: 'web', name: 'stanzad console' });
  const features = [NS.disco, NS.ping].map((name) => element('feature', { var: name }));
  return element('query', { xmlns: NS.disco, node: query.getAttribute('node') }, identity, features);
}
