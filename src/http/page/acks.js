// When to send `<r/>`, how long its answer takes, and when no answer means a dead link.

const ASK_AFTER_STANZAS = 5;
const ASK_AFTER_MS = 300;
const ASK_WHEN_IDLE_MS = 45_000;
const ANSWER_TIMEOUT_MS = 20_000;

/**
 * The timers of one link; `stop()` ends them all.
 *
 * `ask()` is called when it is time to ask, `overdue(reason)` when an answer is missing.
 */
export class AckTimers {
  #askedAt = [];
  #soon = null;
  #overdue = null;
  #idle;

  constructor(ask, overdue) {
    this.ask = ask;
    this.overdue = overdue;
    this.#idle = setInterval(ask, ASK_WHEN_IDLE_MS);
  }

  /** Stanzas wait to be confirmed: asks at once when they are many, else when no more follow. */
  waiting(count) {
    if (count === 0 || this.#askedAt.length) return;
    if (count >= ASK_AFTER_STANZAS) return this.ask();
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => this.#askedAt.length || this.ask(), ASK_AFTER_MS);
  }

  /** An `<r/>` went out. */
  asked() {
    this.#askedAt.push(performance.now());
    clearTimeout(this.#soon);
    clearTimeout(this.#overdue);
    const reason = `no answer to <r/> in ${ANSWER_TIMEOUT_MS / 1000} s`;
    this.#overdue = setTimeout(() => this.overdue(reason), ANSWER_TIMEOUT_MS);
  }

  /** An `<a/>` came: its round trip in milliseconds, or null if nobody had asked. */
  answered() {
    const askedAt = this.#askedAt.shift();
    if (!this.#askedAt.length) clearTimeout(this.#overdue);
    return askedAt === undefined ? null : performance.now() - askedAt;
  }

  stop() {
    clearInterval(this.#idle);
    clearTimeout(this.#soon);
    clearTimeout(this.#overdue);
  }
}
