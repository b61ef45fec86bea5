// Converse.js in headless Chromium while the server is stopped, or killed, and started again under it.

import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import path from 'node:path';
import { startServer } from './lib/server.mjs';

// A server of its own for each story, which others must not meet: the settings are read when they are imported.
const bin = process.env.STANZAD_BIN && path.resolve(process.env.STANZAD_BIN);
const outDir = path.resolve(process.env.STANZAD_OUT || 'out', 'restart');
const server = bin && (await startServer(bin, ['sm.durability=always'], outDir));
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

/**
 * Two people for each end of the process: Converse 14 resumes a session once, and after the next loss of its link it binds
 * anew (onWillReconnect in its smacks plugin).
 */
function tellStory(title, first, signal, label, ending) {
  const people = { accounts: [settings.account(first), settings.account(first + 1)] };
  const step = story(title, async () => {
    await Promise.all(['alice', 'bob'].map((name) => people[name] && screenshot(people[name].page, `failed-${label}-${name}`)));
    return ['alice', 'bob'].flatMap((name) => [`== ${name}`, ...(people[name]?.wire.log ?? [])]);
  });
  let said = []; // by bob
  let answered = []; // by alice

  before(async () => {
    people.alice = await Converse.open(browser);
    people.bob = await Converse.open(browser);
  });
  after(() => Promise.all([people.alice?.context.close(), people.bob?.context.close()]));

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

  /**
   * Both talk until the end of the process, a third device talks as soon as the next one listens, and both talk on:
   * everything is there once, in order, with nothing bound anew and nobody gone. What a person types while Converse
   * knows that it is offline, Converse 14 does not send; so nobody types then.
   */
  async function survive() {
    const { alice, bob, accounts } = people;
    const from = [alice, bob].map(({ wire }) => [wire.sent.length, wire.received.length]);
    const [his, hers] = [numbered(`${label}: he`, 1, 8), numbered(`${label}: she`, 1, 8)];
    const early = numbered(`${label}: early`, 1, 4);
    const speak = async (begin, end) => {
      for (let i = begin; i < end; i += 1) {
        await bob.send(his[i]);
        await alice.send(hers[i]);
      }
    };
    await speak(0, 4);
    const code = await server.restart(signal);
    if (signal === 'SIGTERM') assert.equal(code, 0, 'the server stopped in order');
    const device = await Peer.connect(accounts[1]);
    for (const text of early) await device.say(alice.jid, text);
    await device.stop();
    for (const [i, { wire }] of [alice, bob].entries()) {
      await until('<resumed/>', () => wire.receivedSome(/^<resumed /, from[i][1]));
    }
    // His last words may have been cut off with the process, and then come again behind those of the device.
    await until('all that was said before', async () => (await alice.shownFromContact()).length >= said.length + 8);
    const shown = (await alice.shownFromContact()).slice(said.length);
    assert.deepEqual(shown.filter((text) => early.includes(text)), early);
    assert.deepEqual(shown.filter((text) => !early.includes(text)), his.slice(0, 4));
    await speak(4, 8);
    said.push(...shown, ...his.slice(4));
    answered.push(...hers);
    await alice.expectFromContact(said);
    await bob.expectFromContact(answered);
    for (const [i, { wire }] of [alice, bob].entries()) {
      const [sent, received] = from[i];
      assert.ok(!wire.receivedSome(/^<failed /, received), 'nothing failed');
      assert.ok(!wire.sentSome(/<bind /, sent), 'nothing was bound anew');
      const gone = new RegExp(`<presence[^>]*type=['"]unavailable`);
      const absent = wire.received.slice(received).filter((frame) => gone.test(frame) && !frame.includes(device.jid));
      assert.deepEqual(absent, [], 'nobody seemed gone');
    }
    await screenshot(alice.page, `converse-after-${signal.toLowerCase()}`);
  }

  step(ending, survive);
}

describe('converse_across_a_stop', { skip }, () => {
  tellStory('converse_across_a_stop', 0, 'SIGTERM', 'stop', 'a_clean_stop_and_start_costs_no_message_and_no_login');
});

describe('converse_across_kill_9', { skip }, () => {
  tellStory('converse_across_kill_9', 2, 'SIGKILL', 'kill', 'kill_9_and_a_start_cost_no_message_and_no_login');
});
