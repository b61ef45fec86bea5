// The conversations: who is there, what was said, and what became of what we said.

import { $, atEnd, make } from './dom.js';
import { bubble, drawFate } from './bubble.js';
import { bare } from './session.js';

const MAX_MESSAGES = 1000;
const MAX_SAVED_MESSAGES = 200;

export class Chat {
  #stream;
  #session;
  #own = ''; // stays after the session ends, so that the page can still be read
  #suggested = [];
  #chats = new Map(); // bare JID → { messages, unread }
  #open = null;
  #byId = new Map();
  #again = (text) => this.#say(text);

  constructor() {
    $('open-chat').addEventListener('submit', (event) => this.#openTyped(event));
    $('composer').addEventListener('submit', (event) => this.#submit(event));
    $('text').addEventListener('keydown', (event) => this.#onKey(event));
    $('text').addEventListener('input', () => fit($('text')));
    $('add-contact').addEventListener('click', () => this.#addContact());
  }

  /** Binds the view to a login. `suggested` are addresses to show although they are on no roster. */
  attach(stream, session, own, suggested, saved) {
    this.#stream = stream;
    this.#session = session;
    if (this.#own !== own) this.forget();
    this.#own = own;
    this.#suggested = suggested.map(bare).filter((jid) => jid !== own);
    session.addEventListener('contacts', () => this.#drawPeople());
    session.addEventListener('message', (event) => this.#hear(event.detail));
    session.addEventListener('failed', (event) => this.#mark(event.detail.id, 'failed', event.detail.condition));
    stream.addEventListener('acked', (event) => event.detail.entries.forEach((e) => this.#mark(e.label, 'stored')));
    stream.addEventListener('unsure', (event) => event.detail.entries.forEach((e) => this.#mark(e.label, 'unsure')));
    stream.addEventListener('state', () => ($('composer-hint').textContent = ''));
    if (saved) this.#restore(saved);
    this.#drawPeople();
    if (!this.#open && this.#suggested.length) this.#show(this.#suggested[0], false);
  }

  /** Takes every conversation off the page. */
  forget() {
    this.#chats.clear();
    this.#byId.clear();
    this.#open = null;
    $('messages').replaceChildren();
    $('composer').hidden = $('add-contact').hidden = true;
    $('with').textContent = 'No conversation open';
    $('with-detail').textContent = 'Choose somebody, or enter an address.';
  }

  save() {
    const chats = [...this.#chats].map(([jid, { messages }]) => [
      jid,
      messages.slice(-MAX_SAVED_MESSAGES).map(({ node, ...kept }) => kept),
    ]);
    return { open: this.#open, chats };
  }

  #restore({ open, chats }) {
    for (const [jid, messages] of chats) {
      for (const message of messages) this.#keep(jid, { ...message, at: new Date(message.at) });
    }
    if (open) this.#show(open, false);
  }

  // ---- people ------------------------------------------------------------------------------

  #drawPeople() {
    const focused = document.activeElement?.dataset?.jid;
    const everyone = new Set([...this.#session.contacts.keys(), ...this.#suggested, ...this.#chats.keys()]);
    everyone.delete(this.#chats.has(this.#own) ? '' : this.#own);
    const people = [...everyone].sort((a, b) => this.#rank(a) - this.#rank(b) || a.localeCompare(b));
    $('contacts').replaceChildren(...people.map((jid) => this.#person(jid)));
    $('requests').replaceChildren(...[...this.#session.requests].map((jid) => this.#request(jid)));
    if (focused) document.querySelector(`#contacts [data-jid="${CSS.escape(focused)}"]`)?.focus();
    this.#drawUnread();
    this.#drawHead();
  }

  #rank(jid) {
    return { online: 0, away: 1, offline: 2 }[this.#session.availability(jid)];
  }

  #person(jid) {
    const unread = this.#chats.get(jid)?.unread ?? 0;
    const presence = this.#session.availability(jid);
    const name = this.#session.contacts.get(jid)?.name || jid;
    const current = jid === this.#open;
    const last = this.#chats.get(jid)?.messages.at(-1);
    const label = `${name}, ${presence}${unread ? `, ${unread} unread` : ''}`;
    const words = make(
      'span',
      { class: 'who' },
      make('b', {}, name),
      make('small', {}, last ? last.text.slice(0, 80) : presence),
    );
    const badge = unread ? make('span', { class: 'badge', 'aria-hidden': 'true' }, String(unread)) : null;
    const button = make(
      'button',
      { type: 'button', 'data-jid': jid, 'aria-label': label, 'aria-current': current ? 'true' : null },
      make('span', { class: 'dot', 'data-presence': presence, 'aria-hidden': 'true' }),
      words,
      badge,
    );
    button.addEventListener('click', () => this.#show(jid, true));
    return make('li', {}, button);
  }

  #request(jid) {
    const answer = (yes, word) =>
      make(
        'button',
        {
          type: 'button',
          class: yes ? 'primary' : 'quiet',
          'aria-label': `${word} ${jid}`,
          onclick: () => this.#session.answerRequest(jid, yes),
        },
        word,
      );
    return make(
      'li',
      {},
      make('p', {}, make('b', {}, jid), ' wants to see when you are here.'),
      make('div', {}, answer(true, 'Allow'), answer(false, 'Decline')),
    );
  }

  #drawUnread() {
    const total = [...this.#chats.values()].reduce((sum, chat) => sum + chat.unread, 0);
    $('views-unread').hidden = total === 0;
    $('views-unread').textContent = total;
    document.title = total ? `(${total}) stanzad` : 'stanzad';
  }

  #drawHead() {
    if (!this.#open) return;
    const contact = this.#session.contacts.get(this.#open);
    $('with').textContent = contact?.name || this.#open;
    const asked = contact?.ask === 'subscribe' ? ', waiting for permission to see more' : '';
    $('with-detail').textContent = contact
      ? `${this.#session.availability(this.#open)}${asked}`
      : 'not on your contact list';
    $('add-contact').hidden = !!contact || this.#open === this.#own;
  }

  async #addContact() {
    try {
      await this.#session.addContact(this.#open);
    } catch (error) {
      $('with-detail').textContent = `Not added: ${error.message}`;
    }
  }

  #openTyped(event) {
    event.preventDefault();
    const typed = bare($('to').value.trim());
    if (!typed) return $('to').focus();
    const jid = typed.includes('@') ? typed : `${typed}@${this.#own.split('@')[1]}`;
    $('to').value = '';
    this.#show(jid, true);
  }

  #show(jid, focus) {
    this.#open = jid;
    const chat = this.#chat(jid);
    chat.unread = 0;
    $('messages').replaceChildren(...chat.messages.map((message) => (message.node = bubble(message, this.#again))));
    $('messages').scrollTop = $('messages').scrollHeight;
    $('composer').hidden = false;
    this.#drawPeople();
    if (focus) $('text').focus();
  }

  // ---- messages ----------------------------------------------------------------------------

  #chat(jid) {
    if (!this.#chats.has(jid)) this.#chats.set(jid, { messages: [], unread: 0 });
    return this.#chats.get(jid);
  }

  #keep(jid, message) {
    const { messages } = this.#chat(jid);
    messages.push(message);
    if (message.mine && message.id) this.#byId.set(message.id, message);
    if (messages.length > MAX_MESSAGES) this.#byId.delete(messages.shift().id);
  }

  #hear(message) {
    const jid = message.with;
    if (message.mine) message.fate = 'stored';
    this.#keep(jid, message);
    if (jid === this.#open) this.#appendBubble(message);
    if (jid !== this.#open || document.hidden) {
      this.#chat(jid).unread++;
      if (jid !== this.#open) $('spoken').textContent = `Message from ${jid}`;
    }
    this.#drawPeople();
  }

  /** The tab is looked at again: the open conversation counts as read. */
  seen() {
    if (!this.#open) return;
    this.#chat(this.#open).unread = 0;
    this.#drawPeople();
  }

  #appendBubble(message) {
    const list = $('messages');
    const follow = atEnd(list) || message.mine;
    list.append((message.node = bubble(message, this.#again)));
    if (list.children.length > MAX_MESSAGES) list.firstElementChild.remove();
    if (follow) list.scrollTop = list.scrollHeight;
  }

  #mark(id, fate, why = null) {
    const message = id && this.#byId.get(id);
    if (!message || (message.fate === 'failed' && fate === 'stored')) return;
    Object.assign(message, { fate, why });
    if (message.node?.isConnected) drawFate(message.node, message, this.#again);
  }

  #onKey(event) {
    // isComposing: Enter that chooses a character in an input method is not a wish to send.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    this.#submit(event);
  }

  #submit(event) {
    event.preventDefault();
    const text = $('text').value;
    if (!text.trim() || !this.#say(text)) return;
    $('text').value = '';
    fit($('text'));
  }

  #say(text) {
    try {
      const id = this.#session.say(this.#open, text);
      const message = { with: this.#open, text, mine: true, at: new Date(), id, fate: 'waiting' };
      this.#keep(this.#open, message);
      this.#appendBubble(message);
      this.#drawPeople();
      $('composer-hint').textContent =
        this.#stream.state === 'online' ? '' : 'It waits in the unacked queue for the resumption.';
      return true;
    } catch (error) {
      $('composer-hint').textContent = `Not sent: ${error.message}.`;
      return false;
    }
  }
}

function fit(area) {
  area.style.height = 'auto';
  area.style.height = `${Math.min(area.scrollHeight + 2, 160)}px`;
}
