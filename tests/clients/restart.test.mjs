// Converse.js in headless Chromium while the server is stopped, or killed, and started again under it.

import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import path from 'node:path';
import { startServer } from './lib/server.mjs';

// A server of its own for each story, which others must not meet: the settings are read when they are imported.
const bin = process.env.STANZAD_BIN;
const outDir = path.join(process.env.STANZAD_OUT || 'out', 'restart');
const server = bin && (await startServer(path.resolve(bin), ['sm.durability=always'], outDir));
if (server) Object.assign(process.env, server.env);
const { launch, screenshot } = await import('./lib/browser.mjs');
const { Converse } = await import('./lib/converse.mjs');
const { Peer } = await import('./lib/peer.mjs');
const settings = await import('./lib/settings.mjs');
const { numbered, story } = await import('./lib/story.mjs');
const { until } = await import('./lib/wait.mjs');

let browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

// A running server that somebody else started is not ours to end.
const skip = !server && 'STANZAD_BIN is not set, so there is no server that may be ended';

describe('converse_across_the_end_of_the_server', { skip }, () => {
  const people = { accounts: [settings.account(0), settings.account(1)] };
  const step = story('converse_across_the_end_of_the_server', async () => {
    await Promise.all(['alice', 'bob'].map((name) => people[name] && screenshot(people[name].page, `failed-restart-${name}`)));
    return ['alice', 'bob'].flatMap((name) => [`== ${name}`, ...(people[name]?.wire.log ?? [])]);
  });
  let said = []; // by bob
  let answered = []; // by alice

  before(async () => {
    people.alice = await Converse.open(browser);
    people.bob = await Converse.open(browser);
  });

  step('two_people_log_in_and_chat', async () => {
    const { alice, bob, accounts } = people;
    await Promise.all([alice.logIn(accounts[0]), bob.logIn(accounts[1])]);
    await alice.addContact(bob.jid);
    await bob.contact(alice.jid).waitFor();
    await bob.acceptContact(alice.jid);
    const device = await Peer.connect(accounts[1]);
    await device.subscribe(alice.jid);
    await until('both subscriptions', () =>
      [alice, bob].every(({ wire }) => wire.receivedSome(/<item [^>]*subscription=['"]both['"]/)),
    );
    await device.stop();
    await Promise.all([alice.seesOnline(bob.jid), bob.seesOnline(alice.jid)]);
    await alice.openChat(bob.jid);
    await bob.openChat(alice.jid);
    said = ['before anything'];
    await bob.send(said[0]);
    await alice.expectFromContact(said);
  });

  /** Both talk into the gap, and everything is there once, in order, with no login and no change of presence. */
  async function survive(signal, label) {
    const { alice, bob } = people;
    const from = [alice, bob].map(({ wire }) => [wire.sent.length, wire.received.length]);
    const [his, hers] = [numbered(`${label}: he`, 1, 12), numbered(`${label}: she`, 1, 12)];
    const speak = async (count) => {
      for (let i = 0; i < count; i += 1) {
        await bob.send(his[said.length - before.said]);
        said.push(his[said.length - before.said]);
        await alice.send(hers[answered.length - before.answered]);
        answered.push(hers[answered.length - before.answered]);
      }
    };
    const before = { said: said.length, answered: answered.length };
    await speak(4);
    const ended = server.restart(signal, () => speak(4));
    const code = await ended;
    if (signal === 'SIGTERM') assert.equal(code, 0, 'the server stopped in order');
    await speak(4);
    await alice.expectFromContact(said);
    await bob.expectFromContact(answered);
    for (const [i, { wire }] of [alice, bob].entries()) {
      const [sent, received] = from[i];
      assert.ok(wire.receivedSome(/^<resumed /, received), 'the session was resumed');
      assert.ok(!wire.receivedSome(/^<failed /, received), 'nothing failed');
      assert.ok(!wire.sentSome(/<bind /, sent), 'nothing was bound anew');
      assert.ok(!wire.receivedSome(/<presence[^>]*unavailable/, received), 'nobody seemed gone');
    }
    await screenshot(alice.page, `converse-after-${signal.toLowerCase()}`);
  }

  step('a_clean_stop_and_start_costs_no_message_and_no_login', () => survive('SIGTERM', 'stop'));
  step('kill_9_and_a_start_cost_no_message_and_no_login', () => survive('SIGKILL', 'kill'));
});
