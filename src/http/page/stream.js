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
//   note    { tone, text }      something for the time line that changes no state
//   figures {}                   some number in `stream.figures` or `stream.sm` changed
//   end     { reason, fatal }    the session is over

import { NS, child, children, element, isStanza, parse } from "./xml.js";
import { StreamManagement, readH } from "./sm.js";
import { SaslError, chooseMechanism } from "./scram.js";
import { Link, LinkLost, StreamFault } from "./link.js";

const NEGOTIATION_TIMEOUT_MS = 30_000;
const ASK_AFTER_STANZAS = 5;
const ASK_AFTER_MS = 300;
const ASK_WHEN_IDLE_MS = 45_000;
const ANSWER_TIMEOUT_MS = 20_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 30_000;

/** How long a link that was cut by hand stays cut when the stream resumes by itself. */
export const PAUSE_AFTER_CUT_MS = 4_000;

// After these the server may still have our session, or will have one for us soon (RFC 6120 §4.9.3).
const WORTH_A_RETRY = ["system-shutdown", "reset", "internal-server-error", "connection-timeout", "see-other-host"];

export class Stream extends EventTarget {
  state = "offline";
  resumesByItself = true;
  figures = { asked: 0, answered: 0, unsolicited: 0, theyAsked: 0, weAnswered: 0, rttMs: null, resumptions: 0, resent: 0 };
  #account;
  #link = null;
  #attempt = 0;
  #failures = 0;
  #timers = {};
  #askedAt = [];
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
    return this.sm.resumable && this.state !== "closing" ? { jid: this.jid, sm: this.sm.save() } : null;
  }

  /** Logs in, resuming the session if there is one. Does nothing while a link is up or coming up. */
  async connect() {
    if (this.#link || ["connecting", "closing"].includes(this.state)) return;
    const attempt = ++this.#attempt;
    clearTimeout(this.#timers.retry);
    this.#become("connecting");
    try {
      const link = await Link.open(this.#account.url, (direction, text) => this.#emit("frame", { direction, text }));
      if (attempt !== this.#attempt) return link.cut("logged out meanwhile");
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
    this.#link.cut("cut by hand");
    this.#detached("link cut by hand", PAUSE_AFTER_CUT_MS);
  }

  /** Ends session and stream cleanly; nothing is left on the server. */
  async logOut() {
    this.#attempt++;
    const link = this.#link;
    this.#stopTimers();
    if (link && this.state === "online") {
      if (this.sm.enabled) this.#answer(); // so that the server need not keep what we have
      this.#become("closing");
      await link.close();
    } else link?.cut("logged out");
    this.#link = null;
    this.#sessionOver("logged out", false);
  }

  /** Sends a stanza, now or after the resumption. Throws an Error when the unacked queue is full. */
  send(stanza, label = null) {
    if (this.sm.full) throw new Error(`${this.sm.unacked.length} stanzas wait for the server already`);
    if (!this.sm.enabled && !this.#online) throw new Error("not connected");
    this.sm.push({ text: String(stanza), label });
    if (this.#online) this.#link.send(stanza);
    this.#afterStanza();
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
    if (!this.#online) throw new Error("not connected; only stanzas can wait for the resumption");
    this.#link.send(text);
    if (root?.namespaceURI === NS.sm && root.localName === "r") this.#asked();
  }

  /** Sends `<r/>` (XEP-0198 §4). */
  askForAck() {
    if (!this.#online || !this.sm.enabled) return;
    this.#link.send(element("r", { xmlns: NS.sm }));
    this.#asked();
  }

  get #online() {
    return this.state === "online" && this.#link?.open;
  }

  // ---- login -------------------------------------------------------------------------------

  async #negotiate(link) {
    const { domain } = this.#account;
    this.#become("authenticating");
    await this.#authenticate(link, await link.openStream(domain));
    const features = await link.openStream(domain);
    const canManage = child(features, "sm", NS.sm) !== null;
    if (this.sm.resumable && (await this.#resume(link, canManage))) return;
    await this.#bind(link, canManage);
  }

  async #authenticate(link, features) {
    const { username, password, privateLink } = this.#account;
    const offered = children(child(features, "mechanisms", NS.sasl), "mechanism").map((m) => m.textContent);
    const sasl = chooseMechanism(offered, username, password, privateLink);
    link.send(element("auth", { xmlns: NS.sasl, mechanism: sasl.mechanism }, sasl.first));
    for (;;) {
      const { root } = await link.next();
      if (root.localName === "success") return sasl.done(root.textContent);
      if (root.localName !== "challenge") throw saslFailure(root);
      link.send(element("response", { xmlns: NS.sasl }, await sasl.next(root.textContent)));
    }
  }

  async #bind(link, canManage) {
    const payload = element("bind", { xmlns: NS.bind }, element("resource", {}, this.#account.resource));
    link.send(element("iq", { xmlns: NS.client, type: "set", id: "bind" }, payload));
    const { root } = await link.next();
    const bound = child(child(root, "bind", NS.bind), "jid");
    if (root.getAttribute("type") !== "result" || !bound) throw new StreamFault(errorCondition(root), "no resource could be bound");
    this.jid = bound.textContent;
    if (this.sm.unacked.length) this.#emit("unsure", { entries: this.sm.unacked });
    const enabled = canManage && (await this.#enable(link));
    this.#up(link, enabled ? `session of ${this.jid}` : `session of ${this.jid}, without stream management`);
    this.#emit("bound", {});
    this.#sendAgain(this.#salvage ?? []);
    this.#salvage = null;
  }

  async #enable(link) {
    link.send(element("enable", { xmlns: NS.sm, resume: "true" }));
    const { root } = await link.next();
    if (root.localName === "enabled") this.sm.enable(root);
    return root.localName === "enabled";
  }

  // ---- resumption --------------------------------------------------------------------------

  /** True when the session goes on; false when it is gone and a new one must be bound. */
  async #resume(link, canManage) {
    const previd = this.sm.id;
    if (!canManage) return this.#notResumed(null, "stream management is not offered");
    this.#become("resuming", `asking for ${shorten(previd)} with h=${this.sm.handled}`);
    link.send(element("resume", { xmlns: NS.sm, previd, h: this.sm.report() }));
    const { root } = await link.next();
    const h = readH(root.getAttribute("h"));
    if (root.localName !== "resumed") return this.#notResumed(h, root.firstElementChild?.localName ?? "no reason given");
    const confirmed = this.sm.acknowledge(h);
    const resent = [...this.sm.unacked];
    this.figures.resumptions++;
    this.figures.resent += resent.length;
    this.#up(link, null);
    this.#emit("acked", { entries: confirmed });
    this.#emit("resumed", { previd, h, confirmed: confirmed.length, resent: resent.length });
    for (const { text } of resent) link.send(text);
    if (resent.length) this.askForAck();
    return true;
  }

  /** `<failed h=…/>` still tells what arrived (XEP-0198 §5): only the rest is sent again. */
  #notResumed(h, reason) {
    const queued = this.sm.unacked;
    if (h === null) this.#emit("unsure", { entries: queued });
    else {
      this.#emit("acked", { entries: this.sm.acknowledge(h) });
      this.#salvage = this.sm.unacked;
    }
    this.sm.forget();
    this.#emit("note", { tone: "bad", text: `Not resumed: ${reason}. A new session begins.` });
    return false;
  }

  // Of an old session only messages still mean something: presence and iq are made anew.
  #sendAgain(entries) {
    for (const { text, label } of entries) if (text.startsWith("<message")) this.send(text, label);
  }

  // ---- a running stream --------------------------------------------------------------------

  #up(link, note) {
    this.#askedAt = [];
    this.#become("online", note);
    queueMicrotask(() => link === this.#link && link.deliverTo((root) => this.#onFrame(root), (error) => this.#ended(error)));
    this.#timers.idle = setInterval(() => this.askForAck(), ASK_WHEN_IDLE_MS);
  }

  #onFrame(root) {
    if (root.namespaceURI === NS.sm) return this.#onNonza(root);
    if (!isStanza(root)) return;
    // Counted before it is shown: a fault in the page must not make the server send it again.
    this.sm.count();
    this.#emit("figures", {});
    this.#emit("stanza", { root });
  }

  #onNonza(root) {
    if (root.localName === "r") {
      this.figures.theyAsked++;
      this.#answer();
    }
    if (root.localName === "a") this.#onAnswer(root);
    this.#emit("figures", {});
  }

  #onAnswer(root) {
    const askedAt = this.#askedAt.shift();
    this.figures.answered++;
    if (askedAt === undefined) this.figures.unsolicited++;
    else this.figures.rttMs = performance.now() - askedAt;
    if (!this.#askedAt.length) clearTimeout(this.#timers.answer);
    const h = readH(root.getAttribute("h"));
    try {
      if (h === null) throw new RangeError("an answer without a valid h");
      this.#emit("acked", { entries: this.sm.acknowledge(h) });
    } catch (error) {
      return this.#refuse(h, error);
    }
    if (this.sm.unacked.length) this.#askSoon();
  }

  /** The server claims stanzas that we never sent (XEP-0198 §4). */
  #refuse(h, error) {
    const detail = element("handled-count-too-high", { xmlns: NS.sm, h: h ?? 0, "send-count": this.sm.sent });
    const condition = element("undefined-condition", { xmlns: "urn:ietf:params:xml:ns:xmpp-streams" });
    this.#link.send(element("stream:error", { "xmlns:stream": NS.streams }, condition, detail));
    this.#link.cut(error.message);
    this.#ended(new StreamFault("handled-count-too-high", error.message));
  }

  #answer() {
    this.#link.send(element("a", { xmlns: NS.sm, h: this.sm.report() }));
    this.figures.weAnswered++;
    this.#emit("figures", {});
  }

  #afterStanza() {
    this.#emit("figures", {});
    if (!this.#online || !this.sm.enabled || this.#askedAt.length) return;
    if (this.sm.unacked.length >= ASK_AFTER_STANZAS) this.askForAck();
    else this.#askSoon();
  }

  #askSoon() {
    clearTimeout(this.#timers.ask);
    this.#timers.ask = setTimeout(() => this.sm.unacked.length && !this.#askedAt.length && this.askForAck(), ASK_AFTER_MS);
  }

  #asked() {
    this.figures.asked++;
    this.#askedAt.push(performance.now());
    clearTimeout(this.#timers.answer);
    const link = this.#link;
    this.#timers.answer = setTimeout(() => {
      link.cut("no answer to <r/>");
      if (link === this.#link) this.#ended(new LinkLost(`no answer to <r/> in ${ANSWER_TIMEOUT_MS / 1000} s`));
    }, ANSWER_TIMEOUT_MS);
    this.#emit("figures", {});
  }

  // ---- endings -----------------------------------------------------------------------------

  #ended(error) {
    if (this.state === "closing") return;
    this.#link?.cut(error.message);
    const refused = error instanceof SaslError || (error instanceof StreamFault && !WORTH_A_RETRY.includes(error.condition));
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
    this.#askedAt = [];
  }

  #detached(reason, pauseMs) {
    this.#detach();
    this.resumesAt = this.resumesByItself ? Date.now() + pauseMs : null;
    this.#become("hibernating", reason);
    if (this.resumesByItself) this.#timers.retry = setTimeout(() => this.connect(), pauseMs);
  }

  // A mistyped password says nothing about the session: it can still be resumed.
  #sessionOver(reason, fatal, keep = false) {
    const left = this.sm.unacked;
    if (!keep) {
      this.sm.forget();
      this.jid = null;
      if (left.length) this.#emit("unsure", { entries: left });
    }
    this.#become("offline", reason);
    this.#emit("end", { reason, fatal });
  }

  #stopTimers() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = {};
  }

  async #within(limitMs, link, work) {
    const timer = setTimeout(() => link.cut("the login took too long"), limitMs);
    try {
      await work;
    } finally {
      clearTimeout(timer);
    }
  }

  #become(state, note = null) {
    this.state = state;
    this.#emit("state", { state, note });
    this.#emit("figures", {});
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function saslFailure(root) {
  const condition = children(root).find((c) => c.localName !== "text")?.localName ?? root.localName;
  const said = child(root, "text")?.textContent;
  const ours = condition === "not-authorized" ? "Wrong address or password." : `The server refused the login: ${condition}.`;
  return new SaslError(condition, said ? `${ours} ${said}` : ours);
}

/** The condition of a stanza error, or undefined-condition (RFC 6120 §8.3.3). */
export function errorCondition(root) {
  const error = child(root, "error");
  return children(error, null, NS.stanzas).find((c) => c.localName !== "text")?.localName ?? "undefined-condition";
}

function shorten(id) {
  return id.length > 14 ? `${id.slice(0, 12)}…` : id;
}
