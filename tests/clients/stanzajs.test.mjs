// stanza.js in node, over WebSocket; xmpp.js is the other side.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createClient } from 'stanza';
import { Peer } from './lib/peer.mjs';
import * as settings from './lib/settings.mjs';
import { longText, numbered } from './lib/story.mjs';
import { until, within } from './lib/wait.mjs';
import { CuttingProxy } from './proxy.mjs';

const ALICE = settings.account(8);
const BOB = settings.account(9);

/** Strophe knows a closing server only by exactly these bytes, so every client gets them. */
const CLOSE = '<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />';

class StanzaJs {
  raw = { incoming: [], outgoing: [] };
  bodies = [];
  presences = [];
  events = [];

  constructor({ jid, password }, service = settings.wsUrl) {
    this.client = createClient({ jid, password, transports: { websocket: service, bosh: false }, autoReconnect: true });
    this.client.on('raw:*', (kind, frame) => this.raw[kind.split(':')[1]].push(frame));
    this.client.on('message', (message) => message.body && this.bodies.push(message.body));
    this.client.on('presence', (presence) => this.presences.push(presence));
    this.client.on('*', (name) => this.events.push(name));
  }

  happened(event) {
    return this.events.includes(event);
  }

  /** How many <r/> went out after the message with this body; 0 also if it has not gone out yet. */
  requestsAfter(body) {
    const at = this.raw.outgoing.findIndex((frame) => frame.includes(`<body>${body}</body>`));
    return at < 0 ? 0 : this.raw.outgoing.slice(at).filter((frame) => frame.startsWith('<r ')).length;
  }

  async logIn() {
    this.client.connect();
    await until('session:started', () => this.happened('session:started'));
    this.client.sendPresence();
    await until('own presence', () => this.presences.some(({ from }) => from === this.client.jid));
  }

  async disconnect() {
    this.events.length = 0;
    this.client.disconnect();
    await until('disconnected', () => this.happened('disconnected'));
  }
}

/** Without what an earlier login did not acknowledge before it left: the server keeps that and sends it once more. */
const ofThisTest = (bodies) => bodies.filter((body) => /^(to alice|to bob|and on)/.test(body));

async function withBoth(use, service) {
  const bob = await Peer.connect(BOB);
  const alice = new StanzaJs(ALICE, service);
  try {
    await bob.available();
    await alice.logIn();
    await use(alice, bob);
  } finally {
    alice.client.config.autoReconnect = false;
    await alice.disconnect();
    await bob.stop();
  }
}

describe('stanzajs_over_websocket', () => {
  let proxy;
  before(async () => {
    proxy = await CuttingProxy.listen(settings.serverHost);
    await Promise.all([ALICE, BOB].map(Peer.forget));
  });
  after(() => proxy.close());

  test('f1_logs_in_with_scram_and_disconnects_with_a_close_from_both_sides', async () => {
    const alice = new StanzaJs(ALICE);
    await alice.logIn();
    assert.ok(alice.raw.outgoing.some((frame) => /<auth[^>]*mechanism="SCRAM-SHA-/.test(frame)));
    assert.ok(alice.happened('auth:success'));
    await alice.disconnect();
    assert.match(alice.raw.outgoing.at(-1), /^<close /);
    assert.equal(alice.raw.incoming.at(-1), CLOSE);
    assert.ok(!alice.happened('stream:error'));
  });

  test('wrong_password_fails_authentication', async () => {
    const alice = new StanzaJs({ ...ALICE, password: 'not this one' });
    alice.client.config.autoReconnect = false;
    alice.client.connect();
    await until('auth:failed', () => alice.happened('auth:failed'));
    assert.ok(alice.raw.incoming.some((frame) => /<failure[^>]*><not-authorized/.test(frame)));
    await until('disconnected', () => alice.happened('disconnected'));
    assert.ok(!alice.happened('session:started'));
  });

  test('every_frame_from_the_server_is_a_document_of_its_own_with_its_namespace', () =>
    withBoth(async (alice) => {
      await alice.client.ping(settings.domain);
      for (const frame of alice.raw.incoming) assert.match(frame, /^<[A-Za-z:]+ [^>]*xmlns(:[a-z]+)?=/, frame);
    }));

  test('asks_disco_ping_roster_and_gets_an_error_for_what_nobody_serves', () =>
    withBoth(async (alice) => {
      const info = await alice.client.getDiscoInfo(settings.domain);
      assert.ok(info.identities.some(({ category, type }) => category === 'server' && type === 'im'));
      assert.ok(info.features.includes('http://jabber.org/protocol/disco#info'));
      assert.ok(info.features.includes('urn:xmpp:ping'));
      const { items } = await alice.client.getDiscoItems(settings.domain);
      assert.ok(Array.isArray(items ?? []));
      await alice.client.ping(settings.domain);
      const roster = await alice.client.getRoster();
      assert.deepEqual(roster.items ?? [], []);
      const nowhere = await within('an error', alice.client.ping(`nobody-here@${settings.domain}/nowhere`).catch((error) => error));
      assert.equal(nowhere.type, 'error');
      assert.equal(nowhere.error.condition, 'service-unavailable');
    }));

  test('subscribes_and_sees_presence_come_and_go', () =>
    withBoth(async (alice, bob) => {
      await alice.client.subscribe(BOB.jid);
      await until('the request', () => bob.received.some((s) => s.is('presence') && s.attrs.type === 'subscribe'));
      await bob.authorise(ALICE.jid);
      await until('presence of bob', () => alice.presences.some(({ from, type }) => from === bob.jid && !type));
      const roster = await alice.client.getRoster();
      assert.deepEqual(roster.items.map(({ jid, subscription }) => [jid, subscription]), [[BOB.jid, 'to']]);
      await bob.away();
      await until('unavailable presence of bob', () => alice.presences.some(({ from, type }) => from === bob.jid && type === 'unavailable'));
    }));

  test('exchanges_60_kb_byte_for_byte', () =>
    withBoth(async (alice, bob) => {
      const long = longText(60);
      alice.client.sendMessage({ to: BOB.jid, type: 'chat', body: long });
      await bob.say(alice.client.jid, long);
      await until('both messages', () => alice.bodies.length && bob.bodies().length);
      assert.deepEqual(bob.bodies(), [long]);
      assert.deepEqual(alice.bodies, [long]);
    }));

  test('f6_resumes_after_a_cut_link_with_every_message_exactly_once_in_order', () =>
    withBoth(async (alice, bob) => {
      const [heard, said] = [numbered('to alice', 1, 30), numbered('to bob', 1, 6)];
      await until('stream management', () => alice.client.sm.started);
      for (const body of heard.slice(0, 10)) await bob.say(alice.client.jid, body);
      await until('the first ten', () => ofThisTest(alice.bodies).length === 10);
      proxy.freeze();
      for (const body of heard.slice(10, 20)) await bob.say(alice.client.jid, body);
      for (const body of said) alice.client.sendMessage({ to: BOB.jid, type: 'chat', body });
      // stanza.js writes from a queue and follows each stanza with <r/>; a write to a closed socket would end the process.
      await until('the link to have swallowed it', () => alice.requestsAfter(said.at(-1)) === 1);
      proxy.cut();
      for (const body of heard.slice(20)) await bob.say(alice.client.jid, body);
      await until('stream:management:resumed', () => alice.happened('stream:management:resumed'));
      await until('all messages', () => ofThisTest(alice.bodies).length >= 30 && ofThisTest(bob.bodies()).length >= 6);
      alice.client.sendMessage({ to: BOB.jid, type: 'chat', body: 'and on' });
      await bob.say(alice.client.jid, 'and on');
      await until('the last ones', () => ofThisTest(alice.bodies).at(-1) === 'and on' && ofThisTest(bob.bodies()).at(-1) === 'and on');
      assert.deepEqual(ofThisTest(alice.bodies), [...heard, 'and on']);
      assert.deepEqual(ofThisTest(bob.bodies()), [...said, 'and on']);
      await until('nothing unacked', () => alice.client.sm.unacked.length === 0);
    }, proxy.through(settings.wsUrl)));
});
