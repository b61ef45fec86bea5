// The client's stream: login, stream management, and the way back after a lost link.
//
// It knows nothing of rosters or bodies. Whoever uses it hears events:
//   state   { state, note }      offline, connecting, authenticating, resuming, online, hibernating, closing
//   frame   { direction, text }  every frame, as it is on the wire
//   stanza  { root }             a stanza of the server, already counted
//   bound   {}                   a new session: nothing of the old one holds
//   resumed { previd, h, confirmed, resent }
//   acked   { entries }          the server has these stanzas now
//   unsure  { entries }          the old session is gone and did not say whether it had these
//   note    { tone, text }       something for the time line that changes no state
//   figures {}                   some number in `stream.figures` or `stream.sm` changed
//   end     { reason, fatal }    the session is over

import { NS, child, element, isStanza, parse } from './xml.js';
import { StreamManagement, readH } from './sm.js';
import { SaslError } from './scram.js';
import { Link, LinkLost, StreamFault } from './link.js';
import { authenticate, bind } from './login.js';
import { AckTimers } from './acks.js';

const NEGOTIATION_TIMEOUT_MS = 30_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 30_000;

/** How long a link that was cut by hand stays cut when the stream resumes by itself. */
export const PAUSE_AFTER_CUT_MS = 4_000;

// After these the server may still have our session, or will have one for us soon (RFC 6120 §4.9.3).
const WORTH_A_RETRY = ['system-shutdown', 'reset', 'internal-server-error', 'connection-timeout', 'see-other-host'];

export class Stream extends EventTarget {
  state = 'offline';
  resumesByItself = true;
  figures = {
    asked: 0,
    answered: 0,
    unsolicited: 0,
    theyAsked: 0,
    weAnswered: 0,
    rttMs: null,
    resumptions: 0,
    resent: 0,
  };
  #account;
  #link = null;
  #attempt = 0;
  #failures = 0;
  #retry = null;
  #acks = null;
  #salvage = null;

  /** `account` is `{ url, domain, username, password, resource, privateLink }`; `saved` is from `save()`. */
  constructor(account, saved) {
    super();
    this.#account = account;
    this.jid = saved?.jid ?? null;
    this.sm = new StreamManagement(saved?.sm);
  }

  /** Everything a reload of the tab needs to resume, or null if there is nothing to resume. */
  save() {
    return this.sm.resumable && this.state !== 'closing' ? { jid: this.jid, sm: this.sm.save() } : null;
  }

  /** Logs in, resuming the session if there is one. Does nothing while a link is up or coming up. */
  async connect() {
    if (this.#link || ['connecting', 'closing'].includes(this.state)) return;
    const attempt = ++this.#attempt;
    clearTimeout(this.#retry);
    this.#become('connecting');
    try {
      const link = await Link.open(this.#account.url, (direction, text) => this.#emit('frame', { direction, text }));
      if (attempt !== this.#attempt) return link.cut('logged out meanwhile');
      this.#link = link;
      await this.#within(NEGOTIATION_TIMEOUT_MS, link, this.#negotiate(link));
      this.#failures = 0;
    } catch (error) {
      if (attempt === this.#attempt) this.#ended(error);
    }
  }

  /** Closes the WebSocket without `<close/>`, as a tunnel does to a train: the session hibernates. */
  cut() {
    if (!this.#link) return;
    this.#link.cut('cut by hand');
    this.#detached('link cut by hand', PAUSE_AFTER_CUT_MS);
  }

  /** Ends session and stream cleanly; nothing is left on the server. */
  async logOut() {
    this.#attempt++;
    const link = this.#link;
    this.#stopTimers();
    if (link && this.state === 'online') {
      if (this.sm.enabled) this.#answer(); // so that the server need not keep what we have
      this.#become('closing');
      await link.close();
    } else link?.cut('logged out');
    this.#link = null;
    this.#sessionOver('logged out', false);
  }

  /** Sends a stanza, now or after the resumption. Throws an Error when the unacked queue is full. */
  send(stanza, label = null) {
    if (this.sm.full) throw new Error(`${this.sm.unacked.length} stanzas wait for the server already`);
    if (!this.sm.enabled && !this.#online) throw new Error('not connected');
    this.sm.push({ text: String(stanza), label });
    if (this.#online) this.#link.send(stanza);
    if (this.#online && this.sm.enabled) this.#acks.waiting(this.sm.unacked.length);
    this.#emit('figures', {});
  }

  /** Sends what an operator typed, exactly; it counts when it is a stanza, as the server will count it. */
  sendRaw(text) {
    let root = null;
    try {
      root = parse(text);
    } catch {
      // Sent all the same: to see what the server answers is why somebody types this.
    }
    if (root && isStanza(root)) return this.send(text);
    if (!this.#online) throw new Error('not connected; only stanzas can wait for the resumption');
    this.#link.send(text);
    if (root?.namespaceURI === NS.sm && root.localName === 'r') this.#asked();
  }

  /** Sends `<r/>` (XEP-0198 §4). */
  askForAck() {
    if (!this.#online || !this.sm.enabled) return;
    this.#link.send(element('r', { xmlns: NS.sm }));
    this.#asked();
  }

  get #online() {
    return this.state === 'online' && this.#link?.open;
  }

  // ---- login -------------------------------------------------------------------------------

  async #negotiate(link) {
    const { domain } = this.#account;
    this.#become('authenticating');
    await authenticate(link, await link.openStream(domain), this.#account);
    const features = await link.openStream(domain);
    const canManage = child(features, 'sm', NS.sm) !== null;
    if (this.sm.resumable && (await this.#resume(link, canManage))) return;
    await this.#bind(link, canManage);
  }

  async #bind(link, canManage) {
    this.jid = await bind(link, this.#account.resource);
    if (this.sm.unacked.length) this.#emit('unsure', { entries: this.sm.unacked });
    const enabled = canManage && (await this.#enable(link));
    this.#up(link, enabled ? `session of ${this.jid}` : `session of ${this.jid}, without stream management`);
    this.#emit('bound', {});
    this.#sendAgain(this.#salvage ?? []);
    this.#salvage = null;
  }

  async #enable(link) {
    link.send(element('enable', { xmlns: NS.sm, resume: 'true' }));
    const { root } = await link.next();
    if (root.localName === 'enabled') this.sm.enable(root);
    return root.localName === 'enabled';
  }

  // ---- resumption --------------------------------------------------------------------------

  /** True when the session goes on; false when it is gone and a new one must be bound. */
  async #resume(link, canManage) {
    const previd = this.sm.id;
    if (!canManage) return this.#notResumed(null, 'stream management is not offered');
    this.#become('resuming', `asking for ${shorten(previd)} with h=${this.sm.handled}`);
    link.send(element('resume', { xmlns: NS.sm, previd, h: this.sm.report() }));
    const { root } = await link.next();
    const h = readH(root.getAttribute('h'));
    if (root.localName !== 'resumed')
      return this.#notResumed(h, root.firstElementChild?.localName ?? 'no reason given');
    const confirmed = this.sm.acknowledge(h);
    const resent = [...this.sm.unacked];
    this.figures.resumptions++;
    this.figures.resent += resent.length;
    this.#up(link, null);
    this.#emit('acked', { entries: confirmed });
    this.#emit('resumed', { previd, h, confirmed: confirmed.length, resent: resent.length });
    for (const { text } of resent) link.send(text);
    if (resent.length) this.askForAck();
    return true;
  }

  /** `<failed h=…/>` still tells what arrived (XEP-0198 §5): only the rest is sent again. */
  #notResumed(h, reason) {
    const queued = this.sm.unacked;
    if (h === null) this.#emit('unsure', { entries: queued });
    else {
      this.#emit('acked', { entries: this.sm.acknowledge(h) });
      this.#salvage = this.sm.unacked;
    }
    this.sm.forget();
    this.#emit('note', { tone: 'bad', text: `Not resumed: ${reason}. A new session begins.` });
    return false;
  }

  // Of an old session only messages still mean something: presence and iq are made anew.
  #sendAgain(entries) {
    for (const { text, label } of entries) if (text.startsWith('<message')) this.send(text, label);
  }

  // ---- a running stream --------------------------------------------------------------------

  #up(link, note) {
    this.#acks = new AckTimers(
      () => this.askForAck(),
      (reason) => this.#ended(new LinkLost(reason)),
    );
    this.#become('online', note);
    queueMicrotask(
      () =>
        link === this.#link &&
        link.deliverTo(
          (root) => this.#onFrame(root),
          (error) => this.#ended(error),
        ),
    );
  }

  #onFrame(root) {
    if (root.namespaceURI === NS.sm) return this.#onNonza(root);
    if (!isStanza(root)) return;
    // Counted before it is shown: a fault in the page must not make the server send it again.
    this.sm.count();
    this.#emit('figures', {});
    this.#emit('stanza', { root });
  }

  #onNonza(root) {
    if (root.localName === 'r') {
      this.figures.theyAsked++;
      this.#answer();
    }
    if (root.localName === 'a') this.#onAnswer(root);
    this.#emit('figures', {});
  }

  #onAnswer(root) {
    const roundTripMs = this.#acks.answered();
    this.figures.answered++;
    if (roundTripMs === null) this.figures.unsolicited++;
    else this.figures.rttMs = roundTripMs;
    const h = readH(root.getAttribute('h'));
    try {
      if (h === null) throw new RangeError('an answer without a valid h');
      this.#emit('acked', { entries: this.sm.acknowledge(h) });
    } catch (error) {
      return this.#refuse(h, error);
    }
    this.#acks.waiting(this.sm.unacked.length);
  }

  /** The server claims stanzas that we never sent (XEP-0198 §4). */
  #refuse(h, error) {
    const detail = element('handled-count-too-high', { xmlns: NS.sm, h: h ?? 0, 'send-count': this.sm.sent });
    const condition = element('undefined-condition', { xmlns: 'urn:ietf:params:xml:ns:xmpp-streams' });
    this.#link.send(element('stream:error', { 'xmlns:stream': NS.streams }, condition, detail));
    this.#link.cut(error.message);
    this.#ended(new StreamFault('handled-count-too-high', error.message));
  }

  #answer() {
    this.#link.send(element('a', { xmlns: NS.sm, h: this.sm.report() }));
    this.figures.weAnswered++;
    this.#emit('figures', {});
  }

  #asked() {
    this.figures.asked++;
    this.#acks.asked();
    this.#emit('figures', {});
  }

  // ---- endings -----------------------------------------------------------------------------

  #ended(error) {
    if (this.state === 'closing') return;
    this.#link?.cut(error.message);
    const refused =
      error instanceof SaslError || (error instanceof StreamFault && !WORTH_A_RETRY.includes(error.condition));
    const neverIn = this.jid === null;
    if (refused || neverIn || !(error instanceof LinkLost || error instanceof StreamFault)) {
      this.#detach();
      return this.#sessionOver(error.message, true, error instanceof SaslError);
    }
    this.#detached(error.message, this.#pause());
  }

  #pause() {
    const longest = Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** this.#failures++);
    return longest * (0.5 + Math.random() / 2);
  }

  #detach() {
    this.#stopTimers();
    this.#link = null;
  }

  #detached(reason, pauseMs) {
    this.#detach();
    this.resumesAt = this.resumesByItself ? Date.now() + pauseMs : null;
    this.#become('hibernating', reason);
    if (this.resumesByItself) this.#retry = setTimeout(() => this.connect(), pauseMs);
  }

  // A mistyped password says nothing about the session: it can still be resumed.
  #sessionOver(reason, fatal, keep = false) {
    const left = this.sm.unacked;
    if (!keep) {
      this.sm.forget();
      this.jid = null;
      if (left.length) this.#emit('unsure', { entries: left });
    }
    this.#become('offline', reason);
    this.#emit('end', { reason, fatal });
  }

  #stopTimers() {
    clearTimeout(this.#retry);
    this.#acks?.stop();
  }

  async #within(limitMs, link, work) {
    const timer = setTimeout(() => link.cut('the login took too long'), limitMs);
    try {
      await work;
    } finally {
      clearTimeout(timer);
    }
  }

  #become(state, note = null) {
    this.state = state;
    this.#emit('state', { state, note });
    this.#emit('figures', {});
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function shorten(id) {
  return id.length > 14 ? `${id.slice(0, 12)}…` : id;
}
