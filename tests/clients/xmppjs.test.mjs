// xmpp.js (@xmpp/client) in node, over WebSocket, on both sides.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Peer, xml } from './lib/peer.mjs';
import * as settings from './lib/settings.mjs';
import { longText, numbered } from './lib/story.mjs';
import { until, within } from './lib/wait.mjs';
import { CuttingProxy } from './proxy.mjs';

const ALICE = settings.account(10);
const BOB = settings.account(11);

/** Without what an earlier login did not acknowledge before it left: the server keeps that and sends it once more. */
const ofThisTest = (bodies) => bodies.filter((body) => /^(to alice|to bob|and on)/.test(body));

async function withBoth(use, service) {
  const bob = await Peer.connect(BOB);
  const alice = await Peer.connect(ALICE, { service });
  try {
    await Promise.all([alice.available(), bob.available()]);
    await use(alice, bob);
  } finally {
    await alice.stop();
    await bob.stop();
  }
}

describe('xmppjs_over_websocket', () => {
  let proxy;
  before(async () => {
    proxy = await CuttingProxy.listen(settings.serverHost);
  });
  after(() => proxy.close());

  test('f1_logs_in_chats_both_ways_and_pings', () =>
    withBoth(async (alice, bob) => {
      const texts = [...numbered('text', 1, 5), longText(50)];
      for (const text of texts) {
        await alice.say(bob.jid, text);
        await bob.say(ALICE.jid, text);
      }
      await until('all messages', () => alice.bodies().length >= texts.length && bob.bodies().length >= texts.length);
      assert.deepEqual(alice.bodies(), texts);
      assert.deepEqual(bob.bodies(), texts);
      const pong = await alice.xmpp.iqCaller.request(xml('iq', { type: 'get', to: settings.domain }, xml('ping', 'urn:xmpp:ping')));
      assert.equal(pong.attrs.type, 'result');
      assert.equal(pong.attrs.from, settings.domain);
      const between = await alice.xmpp.iqCaller.request(xml('iq', { type: 'get', to: bob.jid }, xml('ping', 'urn:xmpp:ping')));
      assert.equal(between.attrs.from, bob.jid);
    }));

  test('disconnects_with_a_close_from_both_sides', async () => {
    const alice = await Peer.connect(ALICE);
    const close = await within('the close of the server', alice.xmpp.stop());
    assert.ok(close.is('close', 'urn:ietf:params:xml:ns:xmpp-framing'));
    assert.equal(alice.xmpp.status, 'offline');
    assert.deepEqual(alice.errors, []);
  });

  test('wrong_password_is_not_authorized', async () => {
    await assert.rejects(Peer.connect({ ...ALICE, password: 'not this one' }), { name: 'SASLError', condition: 'not-authorized' });
  });

  // What its README does: presence as soon as it is online, which is before <enabled/>. Its h may then go back once.
  test('survives_presence_in_the_moment_of_login', async () => {
    const bob = await Peer.connect(BOB);
    let alice;
    try {
      for (let round = 1; round <= 5; round += 1) {
        alice = await Peer.connect(ALICE, { eager: true });
        const texts = numbered(`round ${round}`, 1, 10);
        for (const text of texts) {
          await bob.say(alice.jid, text);
          await until(text, () => alice.bodies().includes(text));
        }
        // Its h stays one behind, so the last message of the round before may come once more, with a stamp.
        assert.deepEqual(alice.bodies().filter((body) => body.startsWith(`round ${round} `)), texts);
        assert.deepEqual(alice.errors, []);
        await alice.stop();
      }
    } finally {
      await Promise.all([alice?.stop(), bob.stop()]);
    }
  });

  // xmpp.js does not count the iq answers that it asked for, so none are asked for here: its h would lag behind.
  test('f6_resumes_after_a_cut_link_with_every_message_exactly_once_in_order', () =>
    withBoth(async (alice, bob) => {
      const [heard, said] = [numbered('to alice', 1, 30), numbered('to bob', 1, 6)];
      let resumed = false;
      alice.xmpp.streamManagement.on('resumed', () => (resumed = true));
      for (const body of heard.slice(0, 10)) await bob.say(alice.jid, body);
      await until('the first ten', () => ofThisTest(alice.bodies()).length === 10);
      proxy.freeze();
      for (const body of heard.slice(10, 20)) await bob.say(alice.jid, body);
      for (const body of said) await alice.say(BOB.jid, body);
      proxy.cut();
      for (const body of heard.slice(20)) await bob.say(alice.jid, body);
      await until('resumption', () => resumed);
      await until('all messages', () => ofThisTest(alice.bodies()).length >= 30 && ofThisTest(bob.bodies()).length >= 6);
      await alice.say(BOB.jid, 'and on');
      await bob.say(alice.jid, 'and on');
      await until('the last ones', () => ofThisTest(alice.bodies()).at(-1) === 'and on' && ofThisTest(bob.bodies()).at(-1) === 'and on');
      assert.deepEqual(ofThisTest(alice.bodies()), [...heard, 'and on']);
      assert.deepEqual(ofThisTest(bob.bodies()), [...said, 'and on']);
      assert.equal(alice.xmpp.jid.toString(), alice.jid);
      await until('nothing unacked', () => alice.xmpp.streamManagement.outbound_q.length === 0);
    }, proxy.through(settings.wsUrl)));
});
