// Strophe.js in headless Chromium, over WebSocket and over BOSH.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch } from './lib/browser.mjs';
import { Peer } from './lib/peer.mjs';
import * as settings from './lib/settings.mjs';
import { longText, numbered } from './lib/story.mjs';
import { StrophePage } from './lib/strophe.mjs';
import { until } from './lib/wait.mjs';
import { CuttingProxy } from './proxy.mjs';

const ALICE = settings.account(6);
const BOB = settings.account(7);
const SM = { enableStreamManagement: true };

let browser;
let proxy;

before(async () => {
  proxy = await CuttingProxy.listen(settings.serverHost);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await proxy?.close();
});

/** Opens what a test needs and closes it however the test ends; a failure shows the last frames. */
async function withPage(t, use) {
  const page = await StrophePage.open(browser);
  try {
    await use(page);
  } catch (failure) {
    const notable = page.wire.log.filter((line) => !/ {3}request id|_throttledRequest|removing request/.test(line));
    for (const line of notable.slice(-25)) t.diagnostic(line.slice(0, 300));
    throw failure;
  } finally {
    proxy.refuse(false);
    proxy.thaw();
    await page.context.close();
  }
}

async function withPeer(use) {
  const bob = await Peer.connect(BOB);
  try {
    await bob.available();
    await use(bob);
  } finally {
    await bob.stop();
  }
}

async function exchange(page, bob) {
  const [said, heard] = [[...numbered('to bob', 1, 5), longText(50)], [...numbered('to alice', 1, 5), longText(50)]];
  for (const body of said) await page.say(BOB.jid, body);
  for (const body of heard) await bob.say(page.fullJid, body);
  await until('all messages', async () => bob.bodies().length >= said.length && (await page.bodies()).length >= heard.length);
  assert.deepEqual(bob.bodies(), said);
  assert.deepEqual(await page.bodies(), heard);
}

async function disconnectCleanly(page) {
  const logged = page.wire.log.length;
  await page.page.evaluate(() => connection.disconnect('done'));
  await page.reached('DISCONNECTED');
  assert.deepEqual(unexpectedly(page.wire.log.slice(logged)), []);
}

/** The lines in which Strophe complains that its connection ended without a proper close (it spells that in two ways). */
function unexpectedly(log) {
  return log.filter((line) => /unexpectedly|unexcectedly/.test(line));
}

for (const [transport, service] of [['websocket', settings.wsUrl], ['bosh', settings.boshUrl]]) {
  describe(`strophe_over_${transport}`, () => {
    test('f1_connects_chats_asks_and_disconnects_cleanly', (t) =>
      withPage(t, (page) =>
        withPeer(async (bob) => {
          await page.logIn(ALICE, service);
          await exchange(page, bob);
          assert.match(await page.ask(settings.domain, 'urn:xmpp:ping'), /type="result"/);
          assert.match(await page.ask(settings.domain, 'http://jabber.org/protocol/disco#info'), /<identity /);
          await disconnectCleanly(page);
          assert.deepEqual((await page.statuses()).slice(-2).map((s) => s.split(' ')[0]), ['DISCONNECTING', 'DISCONNECTED']);
        }),
      ));

    test('wrong_password_ends_in_authfail', (t) =>
      withPage(t, async (page) => {
        await page.page.evaluate(([s]) => create(s, {}), [service]);
        await page.connect({ jid: ALICE.jid, password: 'not this one' });
        await page.reached('AUTHFAIL');
        assert.ok(!(await page.statuses()).includes('CONNECTED'));
        await until('<not-authorized/>', () => page.wire.receivedSome(/<failure[^>]*><not-authorized/));
      }));

    test('unknown_user_gets_the_same_answer_as_a_wrong_password', (t) =>
      withPage(t, async (page) => {
        await page.page.evaluate(([s]) => create(s, {}), [service]);
        await page.connect({ jid: `nobody-here@${settings.domain}`, password: 'not this one' });
        await page.reached('AUTHFAIL');
        await until('<not-authorized/>', () => page.wire.receivedSome(/<failure[^>]*><not-authorized/));
      }));
  });
}

describe('strophe_and_its_session_over_websocket', () => {
  test('f6_resumes_after_a_cut_link_with_every_message_exactly_once_in_order', (t) =>
    withPage(t, (page) =>
      withPeer(async (bob) => {
        await page.logIn(ALICE, proxy.through(settings.wsUrl), SM);
        await until('<enabled/>', () => page.wire.receivedSome(/^<enabled /));
        const heard = numbered('to alice', 1, 30);
        for (const body of heard.slice(0, 10)) await bob.say(page.fullJid, body);
        await until('the first ten', async () => (await page.bodies()).length === 10);

        proxy.freeze();
        for (const body of heard.slice(10, 20)) await bob.say(page.fullJid, body);
        const said = numbered('into a dead link', 1, 7);
        for (const body of said) await page.say(BOB.jid, body);
        proxy.cut();
        await page.reached('DISCONNECTED');
        for (const body of heard.slice(20)) await bob.say(page.fullJid, body);
        const jidBefore = page.fullJid;
        await page.connect();
        await page.reached('CONNECTED');

        assert.equal(await page.page.evaluate(() => connection.hasResumed()), true);
        assert.equal(await page.page.evaluate(() => connection.jid), jidBefore);
        await until('all messages', async () => bob.bodies().length >= 7 && (await page.bodies()).length >= 30);
        await page.say(BOB.jid, 'and on');
        await bob.say(page.fullJid, 'and on');
        await until('the last ones', async () => bob.bodies().at(-1) === 'and on' && (await page.bodies()).at(-1) === 'and on');
        assert.deepEqual(await page.bodies(), [...heard, 'and on']);
        assert.deepEqual(bob.bodies(), [...said, 'and on']);
        await until('nothing unacked', async () => {
          await page.page.evaluate(() => connection.sm.requestAck());
          return page.page.evaluate(() => connection.sm.state.unacked.length === 0);
        });
        await disconnectCleanly(page);
      }),
    ));

  test('a_second_login_with_the_same_resource_ends_the_first_with_conflict', (t) =>
    withPage(t, (first) =>
      withPage(t, async (second) => {
        const jid = `${ALICE.jid}/same`;
        await first.logIn({ ...ALICE, jid }, settings.wsUrl);
        await second.logIn({ ...ALICE, jid }, settings.wsUrl);
        await first.reached('DISCONNECTED');
        assert.ok((await first.statuses()).includes('ERROR conflict'), (await first.statuses()).join(', '));
        assert.equal(second.fullJid, jid);
        assert.deepEqual(unexpectedly(first.wire.log), []);
        await disconnectCleanly(second);
      }),
    ));
});

describe('strophe_and_its_session_over_bosh', () => {
  const kept = { keepalive: true };
  const storedSession = (page) => page.page.evaluate(() => JSON.parse(sessionStorage.getItem('strophe-bosh-session')));

  test('restores_its_session_after_a_reload', (t) =>
    withPage(t, (page) =>
      withPeer(async (bob) => {
        await page.logIn(ALICE, settings.boshUrl, kept);
        const { sid } = await storedSession(page);
        await page.load();
        await page.page.evaluate(([s, o]) => create(s, o), [settings.boshUrl, kept]);
        await page.page.evaluate((jid) => restore(jid), ALICE.jid);
        await page.reached('ATTACHED');
        await exchange(page, bob);
        assert.equal((await storedSession(page)).sid, sid);
        assert.equal(page.wire.received.filter((body) => /<success/.test(body)).length, 1, 'one login only');
        await disconnectCleanly(page);
      }),
    ));

  test('attaches_to_a_session_by_sid_and_rid', (t) =>
    withPage(t, (page) =>
      withPeer(async (bob) => {
        await page.logIn(ALICE, settings.boshUrl, kept);
        const session = await storedSession(page);
        await page.load();
        await page.page.evaluate((s) => create(s, {}), settings.boshUrl);
        await page.page.evaluate((s) => attach(s), session);
        await page.reached('ATTACHED');
        await exchange(page, bob);
        await disconnectCleanly(page);
      }),
    ));

  test('loses_and_doubles_nothing_when_connections_break', (t) =>
    withPage(t, (page) =>
      withPeer(async (bob) => {
        await page.logIn(ALICE, proxy.through(settings.boshUrl));
        const [said, heard] = [numbered('to bob', 1, 5), numbered('to alice', 1, 20)];
        proxy.freeze();
        for (const body of said) await page.say(BOB.jid, body);
        for (const body of heard.slice(0, 10)) await bob.say(page.fullJid, body);
        proxy.cut();
        for (const body of heard.slice(10)) await bob.say(page.fullJid, body);
        await until('all messages', async () => bob.bodies().length >= 5 && (await page.bodies()).length >= 20);
        await page.say(BOB.jid, 'and on');
        await bob.say(page.fullJid, 'and on');
        await until('the last ones', async () => bob.bodies().at(-1) === 'and on' && (await page.bodies()).at(-1) === 'and on');
        assert.deepEqual(bob.bodies(), [...said, 'and on']);
        assert.deepEqual(await page.bodies(), [...heard, 'and on']);
      }),
    ));
});
