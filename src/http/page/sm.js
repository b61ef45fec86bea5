// Stream management (XEP-0198), the client's half: two counters and a queue. No socket, no clock.

const MODULUS = 2 ** 32;

/** Stanzas that may wait for an acknowledgement; the session refuses to send more. */
export const MAX_UNACKED = 1000;

/** `a - b` on the circle of 2^32: the only way to compare two values of h (XEP-0198 §4). */
export function distance(a, b) {
  return (a - b) >>> 0;
}

/** An h from the wire, or null if it is not an unsigned 32-bit number. */
export function readH(text) {
  if (!/^\d{1,10}$/.test(text ?? '')) return null;
  const h = Number(text);
  return h < MODULUS ? h : null;
}

/**
 * What both sides have handled, and what the server has not yet confirmed.
 *
 * `acked` is the last h of the server, `handled` is ours, `reported` is the last h we told it.
 * Invariant: `acked + unacked.length` (mod 2^32) stanzas were handed over since `<enable/>`.
 */
export class StreamManagement {
  constructor(saved) {
    this.id = null;
    this.max = null;
    this.restart();
    if (saved) Object.assign(this, saved);
  }

  /** Forgets the session; the queue survives until its owner has decided about it. */
  restart() {
    this.enabled = false;
    this.handled = 0;
    this.reported = 0;
    this.acked = 0;
    this.unacked = [];
  }

  /** Reads `<enabled/>`: counting on both sides begins here (XEP-0198 §3). */
  enable(enabled) {
    this.restart();
    this.enabled = true;
    this.id = ['true', '1'].includes(enabled.getAttribute('resume')) ? enabled.getAttribute('id') : null;
    this.max = Number(enabled.getAttribute('max')) || null;
  }

  /** Forgets the id: what follows cannot be resumed. */
  forget() {
    this.id = null;
    this.restart();
  }

  get resumable() {
    return this.id !== null;
  }

  get sent() {
    return (this.acked + this.unacked.length) >>> 0;
  }

  get full() {
    return this.unacked.length >= MAX_UNACKED;
  }

  /** Takes a stanza into the queue, whether or not a link is there to carry it now. */
  push(entry) {
    if (this.enabled) this.unacked.push(entry);
  }

  /** One more stanza of the server is handled. */
  count() {
    if (this.enabled) this.handled = (this.handled + 1) >>> 0;
  }

  /** Our answer to `<r/>`, and what we claim at a resumption. */
  report() {
    this.reported = this.handled;
    return this.handled;
  }

  /** Drops what `h` covers and returns it; throws a RangeError if `h` covers stanzas never sent. */
  acknowledge(h) {
    const count = distance(h, this.acked);
    if (count > this.unacked.length) throw new RangeError(`h=${h}, but only ${this.sent} stanzas were sent`);
    this.acked = h;
    return this.unacked.splice(0, count);
  }

  /** What a reload of the tab needs to go on where it stopped. */
  save() {
    const { id, max, enabled, handled, reported, acked, unacked } = this;
    return { id, max, enabled, handled, reported, acked, unacked };
  }
}
