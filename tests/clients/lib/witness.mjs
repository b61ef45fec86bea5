// Looks on at the wire of one client and keeps its own books of stream management (XEP-0198), so that after a loss or a
// double one can tell whose it is: the server's, or that of the client library.

const STANZA = /^<(message|presence|iq)[ >]/;

function read(frame) {
  const head = frame.slice(0, frame.indexOf('>') + 1);
  return {
    name: /^<([a-z]+)/.exec(head)?.[1],
    h: Number(/ h=["'](\d+)["']/.exec(head)?.[1]),
    body: STANZA.test(frame) ? /<body[^>]*>([^<]*)</.exec(frame)?.[1] : undefined,
    isStanza: STANZA.test(frame),
  };
}

export class Witness {
  resumed = 0;
  boundAnew = 0;

  /** The bodies that the server has said it handled. */
  promised = new Set();
  /** Those that the client wrote although the server had said so. */
  writtenAgain = new Set();
  /** Those that reached the client. */
  arrived = new Set();
  /** Those that it asked for once more although they had reached it. */
  askedAgain = new Set();
  /** How many it said to have that had not reached it. */
  overstated = 0;
  /** Bodies in the order in which they were written last, and in which they arrived first. */
  written = [];

  /** All frames, for a person who looks into a failure. */
  log = [];

  #out = null;
  #in = null;

  sent(frame) {
    this.#note('>>', frame);
    const { name, h, body, isStanza } = read(frame);
    if (name === 'enable') this.#out = [];
    if (name === 'resume') {
      for (const again of this.#in?.slice(h) ?? []) this.askedAgain.add(again);
      this.overstated += Math.max(0, h - (this.#in?.length ?? 0));
      if (this.#in) this.#in.length = h;
    }
    if (!isStanza) return;
    this.#out?.push(body);
    if (body === undefined) return;
    if (this.promised.has(body)) this.writtenAgain.add(body);
    this.written.push(body);
  }

  received(frame) {
    this.#note('<<', frame);
    const { name, h, body, isStanza } = read(frame);
    if (name === 'enabled') this.#in = [];
    if (name === 'a' || name === 'resumed') this.#promise(h);
    if (name === 'failed') {
      this.boundAnew += 1;
      if (!Number.isNaN(h)) this.#promise(h);
    }
    if (name === 'resumed') {
      this.resumed += 1;
      if (this.#out) this.#out.length = h; // what lies beyond is to be written again
    }
    if (!isStanza) return;
    this.#in?.push(body);
    if (body !== undefined) this.arrived.add(body);
  }

  #note(mark, frame) {
    this.log.push(`${new Date().toISOString().slice(11, 23)} ${mark} ${frame}`);
  }

  #promise(h) {
    for (const body of this.#out?.slice(0, h) ?? []) if (body !== undefined) this.promised.add(body);
  }
}
