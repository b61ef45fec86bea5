// One WebSocket as RFC 7395 sees it: one complete element per text message.

import { NS, child, element, parse } from './xml.js';

const OPEN_TIMEOUT_MS = 15_000;
const CLOSE_TIMEOUT_MS = 3_000;

/** The link is gone and nobody said goodbye: what was begun on it may be resumed. */
export class LinkLost extends Error {}

/** The server ended the stream and named a condition (RFC 6120 §4.9). */
export class StreamFault extends Error {
  constructor(condition, text) {
    super(text ? `${condition}: ${text}` : condition);
    this.condition = condition;
  }
}

/**
 * A link delivers frames in two ways: while a login is negotiated, one by one through `next()`;
 * afterwards through the handler given to `deliverTo()`, which first gets what came in between.
 */
export class Link {
  #socket;
  #trace;
  #inbox = [];
  #waiting = null;
  #handler = null;
  #over = null;

  /** Resolves with an open link; rejects with LinkLost. `trace(direction, text)` sees every frame. */
  static open(url, trace) {
    const link = new Link();
    link.#trace = trace;
    return new Promise((resolve, reject) => {
      const socket = (link.#socket = new WebSocket(url, 'xmpp'));
      const timer = setTimeout(() => link.#end(new LinkLost('no answer to the upgrade')), OPEN_TIMEOUT_MS);
      link.onend = reject;
      socket.onopen = () => {
        clearTimeout(timer);
        link.onend = () => {};
        resolve(link);
      };
      socket.onmessage = (event) => link.#receive(event.data);
      socket.onclose = (event) => {
        clearTimeout(timer);
        link.#end(new LinkLost(socketEnd(event)));
      };
    });
  }

  get open() {
    return !this.#over;
  }

  send(text) {
    if (this.#over) throw this.#over;
    this.#trace('out', String(text));
    this.#socket.send(String(text));
  }

  /** Opens a stream, again after SASL (RFC 7395 §3.4, §3.7), and returns its features. */
  async openStream(domain) {
    this.send(element('open', { xmlns: NS.framing, to: domain, version: '1.0' }));
    const { root: open } = await this.next();
    if (open.localName !== 'open' || open.namespaceURI !== NS.framing) {
      throw new LinkLost(`the server answered <open/> with <${open.nodeName}/>`);
    }
    return (await this.next()).root;
  }

  /** The next frame as `{ root, text }`; rejects when the stream or the link ends before it. */
  next() {
    if (this.#inbox.length) return Promise.resolve(this.#inbox.shift());
    if (this.#over) return Promise.reject(this.#over);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  /** From here on frames go to `onframe(root, text)`, and the end of the link to `onend(error)`. */
  deliverTo(onframe, onend) {
    this.onend = onend;
    this.#handler = onframe;
    for (const { root, text } of this.#inbox.splice(0)) if (!this.#over) onframe(root, text);
    if (this.#over) onend(this.#over);
  }

  /** Ends the stream cleanly: `<close/>` from both sides, then the socket (RFC 7395 §3.6). */
  async close() {
    if (this.#over) return;
    const ended = new Promise((resolve) => (this.onend = resolve));
    this.send(element('close', { xmlns: NS.framing }));
    const timer = setTimeout(() => this.#end(new LinkLost('no answer to <close/>')), CLOSE_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }

  /** Drops the link without `<close/>`. What arrives from now on is not read, hence not handled. */
  cut(reason) {
    this.#handler = null;
    this.onend = () => {};
    this.#end(new LinkLost(reason));
  }

  #receive(text) {
    if (this.#over) return;
    this.#trace('in', typeof text === 'string' ? text : '(a binary frame, which RFC 7395 §3.2 forbids)');
    let root;
    try {
      root = parse(text);
    } catch (error) {
      return this.#end(new LinkLost(`unreadable frame: ${error.message}`));
    }
    if (root.localName === 'error' && root.namespaceURI === NS.streams) return this.#end(faultIn(root));
    if (root.localName === 'close' && root.namespaceURI === NS.framing) return this.#closed(root);
    if (this.#handler) return this.#handler(root, text);
    if (this.#waiting) return this.#settle('resolve', { root, text });
    this.#inbox.push({ root, text });
  }

  #closed(root) {
    const elsewhere = root.getAttribute('see-other-uri');
    this.#answerClose();
    this.#end(new LinkLost(elsewhere ? `the server points to ${elsewhere}` : 'the server closed the stream'));
  }

  #answerClose() {
    try {
      this.send(element('close', { xmlns: NS.framing }));
    } catch {
      // The socket went first; there is nobody left to be polite to.
    }
  }

  #end(error) {
    if (this.#over) return;
    if (error instanceof StreamFault) this.#answerClose();
    this.#over = error;
    this.#socket.close();
    this.#settle('reject', error);
    this.onend(error);
  }

  #settle(how, value) {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.[how](value);
  }
}

function faultIn(root) {
  const parts = [...root.children];
  const condition = parts.find((part) => part.localName !== 'text')?.localName ?? 'undefined-condition';
  return new StreamFault(condition, child(root, 'text')?.textContent);
}

function socketEnd({ code, reason }) {
  if (code === 1006) return 'the connection broke';
  return `the socket closed with ${code}${reason ? ` (${reason})` : ''}`;
}
