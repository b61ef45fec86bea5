// The promise with shipped clients: Strophe.js, stanza.js and xmpp.js chat through proxies that cut and freeze their links.
//
//   node run.mjs --promise [--cuts N]      STANZAD_BIN; N cuts in all, 60 if nothing is said
//
// Each client has a partner on a link that nobody touches; both write all the time. Prints a table; the exit code is 0 only
// if the server neither lost nor doubled nor mixed up anything. What a library does by itself (lib/witness.mjs tells) is in
// the column "by itself": it is shown with its cause, and is not the server's.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createClient } from 'stanza';
import { launch } from './lib/browser.mjs';
import { Peer } from './lib/peer.mjs';
import * as settings from './lib/settings.mjs';
import { StrophePage } from './lib/strophe.mjs';
import { until } from './lib/wait.mjs';
import { Witness } from './lib/witness.mjs';
import { CuttingProxy } from './proxy.mjs';

const CUTS = 60;
const TALK_MS = 40;
const BACK_AFTER_MS = 50;
const LIFE_MS = [50, 900];
const FREEZE_MS = [0, 500];
const DRAIN_MS = 40_000;
/** A client that has no link for so long is told to come back; one that has a link may be slow to log in on it. */
const GONE_MS = 6000;
const BACK_LIMIT_MS = 90_000;
/** So long nothing may change before what is missing counts as lost. */
const QUIET_MS = 5000;

/** Faults of the libraries that stand behind "by itself", "stuck" and "errors". */
const KNOWN = {
  'xmpp.js': [
    'xmpp.js 0.14.0: as its source reads, sendMany() of @xmpp/websocket passes by the middleware that fills outbound_q, so that',
    'what is sent again after a resumption is forgotten, and is gone if that link is cut before the server has it.',
  ],
  'stanza.js': [
    'stanza.js 12.22.1 goes on writing to a socket that has closed, and sometimes stops coming back (then it is told to);',
    'what it has not written by then is lost or late.',
  ],
  'Strophe.js': [],
};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const between = ([from, to]) => from + Math.random() * (to - from);

/** Errors that nobody caught, by library. */
const uncaught = { 'xmpp.js': [], 'stanza.js': [], other: [] };
for (const event of ['unhandledRejection', 'uncaughtException']) {
  process.on(event, (error) => {
    const stack = String(error?.stack ?? error);
    const library = /node_modules\/@xmpp/.test(stack) ? 'xmpp.js' : /node_modules\/stanza/.test(stack) ? 'stanza.js' : 'other';
    uncaught[library].push(stack);
  });
}

/** stanza.js prints what a socket that has closed answers to a write; here it counts. */
const print_error = console.error;
console.error = (error, ...rest) => {
  const stack = String(error?.stack ?? error?.error?.stack ?? '');
  if (/node_modules\/(stanza|ws)\//.test(stack)) uncaught['stanza.js'].push(stack);
  else if (error?.type !== 'error') print_error(error, ...rest);
};

class XmppJs {
  name = 'xmpp.js';
  /** Why its logins are spared. */
  spared =
    'xmpp.js 0.14.0: a link that is cut amid SASL leaves a listener behind (@xmpp/events procedure()); the next challenge is ' +
    'answered twice, once by the state of the dead link, which is not-authorized, and it stays so. Its logins are spared here.';
  witness = new Witness();
  said = [];

  async start(account, service, to) {
    this.peer = await Peer.connect(account, { service });
    const { xmpp } = this.peer;
    xmpp.reconnect.delay = BACK_AFTER_MS;
    for (const element of this.peer.sent) this.witness.sent(element.toString());
    for (const element of this.peer.received) this.witness.received(element.toString());
    xmpp.on('send', (element) => this.witness.sent(element.toString()));
    xmpp.on('element', (element) => this.witness.received(element.toString()));
    await this.peer.available();
    this.to = to;
  }

  say(body) {
    // What it takes while stream management is on, it has promised to send again.
    if (!this.isUsable()) return;
    this.said.push(body);
    this.peer.say(this.to, body).catch(() => {});
  }

  heard() {
    return this.peer.bodies();
  }

  isUsable() {
    return this.peer.xmpp.status === 'online' && this.peer.xmpp.streamManagement.enabled;
  }

  comeBack() {
    this.peer.xmpp.reconnect.reconnect().catch(() => {});
  }

  errors() {
    const texts = this.peer.errors.map((error) => String(error?.stack ?? error));
    return texts.filter((text) => /TypeError/.test(text)).concat(uncaught['xmpp.js']);
  }

  async stop() {
    this.peer.xmpp.reconnect.stop();
    await Promise.race([this.peer.xmpp.stop().catch(() => {}), sleep(3000)]);
  }
}

class StanzaJs {
  name = 'stanza.js';
  witness = new Witness();
  said = [];
  #heard = [];
  #usable = false;

  async start({ jid, password }, service, to) {
    const transports = { websocket: service, bosh: false };
    this.client = createClient({ jid, password, transports, autoReconnect: true, maxReconnectBackoff: BACK_AFTER_MS / 1000 });
    this.client.on('raw:incoming', (frame) => this.witness.received(frame));
    this.client.on('raw:outgoing', (frame) => this.witness.sent(frame));
    this.client.on('message', ({ body }) => body && this.#heard.push(body));
    for (const event of ['session:started', 'stream:management:resumed']) this.client.on(event, () => (this.#usable = true));
    for (const event of ['connected', 'disconnected']) this.client.on(event, () => (this.#usable = false));
    let isKnown = false;
    this.client.on('presence', ({ from }) => (isKnown ||= from === this.client.jid));
    this.client.connect();
    await until('session:started', () => this.#usable && this.client.sm.started);
    this.client.sendPresence();
    await until('own presence', () => isKnown);
    this.to = to;
  }

  say(body) {
    if (!this.#usable) return;
    this.said.push(body);
    this.client.sendMessage({ to: this.to, type: 'chat', body });
  }

  heard() {
    return this.#heard;
  }

  errors() {
    return uncaught['stanza.js'];
  }

  isUsable() {
    return this.#usable;
  }

  comeBack() {
    this.client.connect();
  }

  async stop() {
    this.client.config.autoReconnect = false;
    await Promise.race([this.client.disconnect().catch(() => {}), sleep(3000)]);
  }
}

class StropheJs {
  name = 'Strophe.js';
  witness = new Witness();
  said = [];

  async start(account, service, to) {
    this.browser = await launch();
    this.page = await StrophePage.open(this.browser);
    await this.page.logIn(account, service, { enableStreamManagement: true });
    const { wire } = this.page;
    await until('<enabled/>', () => wire.receivedSome(/^<enabled /));
    // Its pace of coming back and of writing is the page's own; what it wrote and heard is fetched now and then.
    await this.page.page.evaluate(
      ([jid, password, recipient, back]) => {
        window.said = [];
        window.toSay = [];
        const status = () => statuses.at(-1)?.split(' ')[0];
        setInterval(() => {
          if (status() === 'DISCONNECTED') connect(jid, password);
        }, back);
        window.isUsable = () => status() === 'CONNECTED' && connection.connected;
        window.sayNow = (body) => {
          if (!isUsable()) return false;
          say(recipient, body);
          return true;
        };
      },
      [account.jid, account.password, to, BACK_AFTER_MS],
    );
  }

  async say(body) {
    if (await this.page.page.evaluate((text) => sayNow(text), body)) this.said.push(body);
  }

  /** In the order of the page; the witness gets the frames of the whole run at once. */
  heard() {
    return this.page.bodies();
  }

  look() {
    const { frames } = this.page.wire;
    for (const { direction, text } of frames.splice(0)) this.witness[direction](text);
  }

  isUsable() {
    return this.page.page.evaluate(() => isUsable());
  }

  comeBack() {} // the page sees to that

  errors() {
    return [];
  }

  async stop() {
    await this.browser.close();
  }
}

/** A library behind a proxy of its own, and its partner. */
class Row {
  cuts = 0;
  /** How many links there had been at the last cut. */
  acceptedAtCut = 0;
  /** How often the client had to be told to come back. */
  stuck = 0;
  talking = false;

  constructor(client, accounts, cuts) {
    Object.assign(this, { client, accounts, wanted: cuts });
  }

  async run() {
    const [own, other] = this.accounts;
    this.proxy = await CuttingProxy.listen(settings.serverHost);
    this.partner = await Peer.connect(other);
    await this.partner.available();
    await this.client.start(own, this.proxy.through(settings.wsUrl), other.jid);
    this.partnerSaid = [];
    const begin = Date.now();
    this.talking = true;
    const talks = [this.#talk('client', (body) => this.client.say(body)), this.#talk('partner', (body) => this.#partnerSays(body))];
    await this.#cut();
    this.talking = false;
    await Promise.all(talks);
    if (!(await this.#drain())) {
      // A library may have lost its way on this link; what the server keeps comes on the next.
      this.#cutNow();
      await this.#drain();
    }
    this.seconds = (Date.now() - begin) / 1000;
    this.heard = [...(await this.client.heard())];
    this.partnerHeard = this.partner.bodies();
    this.client.look?.();
    await this.client.stop();
    await this.partner.stop();
    await this.proxy.close();
    return this;
  }

  #partnerSays(body) {
    this.partnerSaid.push(body);
    return this.partner.say(this.accounts[0].jid, body);
  }

  async #talk(who, say) {
    for (let n = 1; this.talking; n += 1) {
      await say(`${this.client.name} ${who} ${n}`);
      await sleep(TALK_MS * 2 * Math.random());
    }
  }

  /** Most cuts meet a client that is logged in, some meet one that is about to. */
  async #cut() {
    while (this.cuts < this.wanted) {
      if (this.client.spared || Math.random() < 0.8) await this.#backAgain();
      await sleep(between(LIFE_MS));
      if (this.proxy.open === 0) continue;
      if (Math.random() < 0.5) {
        this.proxy.freeze();
        await sleep(between(FREEZE_MS));
      }
      this.#cutNow();
    }
  }

  #cutNow() {
    this.acceptedAtCut = this.proxy.accepted; // it takes a moment to notice
    this.proxy.cut();
    this.cuts += 1;
    this.client.witness.log.push('-- cut');
  }

  /** Waits until the client is logged in; one that does not come by itself is told to, which is noted. */
  async #backAgain() {
    const deadline = Date.now() + BACK_LIMIT_MS;
    let patientUntil = Date.now() + GONE_MS;
    while (this.proxy.accepted === this.acceptedAtCut || !(await this.client.isUsable())) {
      if (Date.now() > deadline) throw new Error(`${this.client.name} does not log in any more`);
      if (this.proxy.open > 0) patientUntil = Date.now() + GONE_MS;
      if (Date.now() > patientUntil) {
        patientUntil = Date.now() + GONE_MS;
        this.stuck += 1;
        this.client.comeBack();
      }
      await sleep(50);
    }
  }

  /** Waits until all is there (true) or nothing more comes. */
  async #drain() {
    const deadline = Date.now() + DRAIN_MS;
    let [before, since] = [-1, Date.now()];
    while (Date.now() < deadline && Date.now() - since < QUIET_MS) {
      await this.#backAgain();
      const heard = new Set(await this.client.heard()).size;
      const count = heard + new Set(this.partner.bodies()).size;
      if (count !== before) [before, since] = [count, Date.now()];
      if (count === this.client.said.length + this.partnerSaid.length) {
        await sleep(1000); // doubles that come late
        return true;
      }
      await sleep(200);
    }
    return false;
  }

  /** What became of both directions, and how much of it is the library's own. */
  verdict() {
    const { witness, said } = this.client;
    const up = judge(said, this.partnerHeard);
    const down = judge(this.partnerSaid, this.heard);
    const lastWritten = new Map(witness.written.map((body, at) => [body, at]));
    const isInOrderOfWriting = (fall) => lastWritten.get(fall[0]) < lastWritten.get(fall[1]);
    const arrived = new Map([...witness.arrived].map((body, at) => [body, at]));
    const isInOrderOfArrival = (fall) => arrived.get(fall[0]) > arrived.get(fall[1]);
    const own = {
      lost: [
        ...up.lost.filter((body) => !witness.promised.has(body)),
        ...down.lost.filter((body) => witness.arrived.has(body) || witness.overstated > 0),
      ],
      doubled: [
        ...up.doubled.filter((body) => witness.writtenAgain.has(body)),
        ...down.doubled.filter((body) => witness.askedAgain.has(body)),
      ],
      mixed: [...up.mixed.filter(isInOrderOfWriting), ...down.mixed.filter(isInOrderOfArrival)],
    };
    const all = {};
    for (const what of ['lost', 'doubled', 'mixed']) all[what] = [...up[what], ...down[what]];
    return { all, own, received: up.received + down.received };
  }
}

/** `said` against `heard`. `mixed`: pairs of neighbours that came the wrong way round. */
function judge(said, heard) {
  const position = new Map(said.map((body, at) => [body, at]));
  const known = new Set();
  const [doubled, mixed] = [[], []];
  let last;
  for (const body of heard) {
    if (!position.has(body)) continue; // not of this run
    if (known.has(body)) {
      doubled.push(body);
      continue;
    }
    known.add(body);
    if (last !== undefined && position.get(body) < position.get(last)) mixed.push([last, body]);
    else last = body;
  }
  return { lost: said.filter((body) => !known.has(body)), doubled, mixed, received: known.size };
}

function print(lines) {
  const widths = lines[0].map((_, at) => Math.max(...lines.map((line) => String(line[at]).length)));
  for (const line of lines) console.log(line.map((cell, at) => (at ? String(cell).padStart(widths[at]) : String(cell).padEnd(widths[at]))).join('  '));
}

const asked = process.argv.indexOf('--cuts');
const cuts = asked < 0 ? CUTS : Number(process.argv[asked + 1]);
const clients = [new StropheJs(), new StanzaJs(), new XmppJs()];
const rows = await Promise.all(
  clients.map((client, at) => {
    const share = Math.floor(cuts / clients.length) + (at < cuts % clients.length ? 1 : 0);
    return new Row(client, [settings.account(2 * at), settings.account(2 * at + 1)], share).run();
  }),
);

let failed = 0;
const table = [['client', 'cuts', 'resumed', 'anew', 'sent', 'received', 'lost', 'doubled', 'out of order', 'by itself', 'stuck', 'errors', 'seconds']];
const remarks = [];
for (const row of rows) {
  const { client } = row;
  const { all, own, received } = row.verdict();
  const count = (faults) => faults.lost.length + faults.doubled.length + faults.mixed.length;
  const sent = client.said.length + row.partnerSaid.length;
  const { resumed, boundAnew } = client.witness;
  const errors = client.errors();
  table.push([client.name, row.cuts, resumed, boundAnew, sent, received, all.lost.length, all.doubled.length, all.mixed.length, count(own), row.stuck, errors.length, row.seconds.toFixed(1)]);
  const ofServer = count(all) - count(own) + boundAnew;
  if (ofServer > 0) {
    failed += 1;
    const log = path.join(settings.outDir, `promise-${client.name}.log`);
    writeFileSync(log, client.witness.log.join('\n'));
    remarks.push(`${client.name}: the frames are in ${log}`);
    for (const what of ['lost', 'doubled', 'mixed']) {
      const rest = all[what].filter((fault) => !own[what].includes(fault));
      if (rest.length) remarks.push(`${client.name}: ${what}: ${rest.slice(0, 12).join(', ')}`);
    }
  }
  if (count(own) + errors.length + row.stuck > 0) {
    remarks.push(`${client.name}, by itself: ${own.lost.length} lost, ${own.doubled.length} doubled, ${own.mixed.length} out of order`);
    remarks.push(...KNOWN[client.name].map((line) => `  ${line}`));
    for (const error of new Set(errors.map((stack) => stack.split('\n').slice(0, 2).join(' ').trim()))) remarks.push(`  error: ${error}`);
  }
}
for (const { client } of rows) if (client.spared) remarks.push(client.spared);
for (const error of uncaught.other) remarks.push(`error: ${error}`);
failed += uncaught.other.length > 0 ? 1 : 0;
print(table);
remarks.forEach((line) => console.log(line));
console.log(`${rows.length - Math.min(failed, rows.length)} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
