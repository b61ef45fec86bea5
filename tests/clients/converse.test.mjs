// Converse.js in headless Chromium, two people in two profiles; the link of one of them goes through the cutting proxy.

import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { launch, screenshot } from './lib/browser.mjs';
import { Converse } from './lib/converse.mjs';
import { Peer } from './lib/peer.mjs';
import * as settings from './lib/settings.mjs';
import { longText, numbered, story } from './lib/story.mjs';
import { until } from './lib/wait.mjs';
import { CuttingProxy } from './proxy.mjs';

let proxy;
let shaky; // the browser behind the proxy
let steady; // the browser with a direct link

before(async () => {
  proxy = await CuttingProxy.listen(settings.serverHost);
  [shaky, steady] = await Promise.all([launch(proxy), launch()]);
});

after(async () => {
  await shaky?.close();
  await steady?.close();
  await proxy?.close();
});

const EMOJI_AND_RTL = ['👩‍👩‍👧‍👦 🇪🇺 🎉', 'שלום עולם', 'مرحبا بالعالم', 'left שלום right 🎈', '1 < 2 & "quotes" ]]>'];

/** A pair of people for one transport: alice behind the proxy, bob not. */
function pair(first) {
  const people = { accounts: [settings.account(first), settings.account(first + 1)] };
  people.evidence = async () => {
    await Promise.all(['alice', 'bob'].map((name) => people[name] && screenshot(people[name].page, `failed-${name}`)));
    return ['alice', 'bob'].flatMap((name) => [`== ${name}`, ...(people[name]?.wire.log ?? [])]);
  };
  people.open = async (options) => {
    people.alice = await Converse.open(shaky, options);
    people.bob = await Converse.open(steady, options);
  };
  people.close = async () => {
    proxy.refuse(false);
    proxy.thaw();
    await people.alice?.context.close();
    await people.bob?.context.close();
  };
  return people;
}

async function logInBoth({ alice, bob, accounts }, name) {
  await Promise.all(accounts.map(Peer.forget));
  await alice.page.locator('#converse-login').waitFor();
  await screenshot(alice.page, `converse-${name}-form`);
  await Promise.all([alice.logIn(accounts[0]), bob.logIn(accounts[1])]);
  await screenshot(alice.page, `converse-${name}-logged-in`);
}

async function becomeContacts({ alice, bob, accounts }) {
  await alice.addContact(bob.jid);
  await bob.contact(alice.jid).waitFor();
  await bob.acceptContact(alice.jid);
  // Bob asks back from another device, because his Converse cannot (see acceptContact); alice's Converse agrees by itself.
  const device = await Peer.connect(accounts[1]);
  await device.subscribe(alice.jid);
  await until('both subscriptions', () =>
    [alice, bob].every(({ wire }) => wire.receivedSome(/<item [^>]*subscription=['"]both['"]/)),
  );
  await device.stop();
  await Promise.all([alice.seesOnline(bob.jid), bob.seesOnline(alice.jid)]);
  await alice.openChat(bob.jid);
  await bob.openChat(alice.jid);
}

async function chatBothWays({ alice, bob }, name) {
  const long = longText(50);
  assert.ok(Buffer.byteLength(long) >= 50 * 1024);
  for (const text of EMOJI_AND_RTL) await alice.send(text);
  await bob.expectFromContact(EMOJI_AND_RTL);
  await screenshot(bob.page, `converse-${name}-chat`);
  const texts = [...EMOJI_AND_RTL, long];
  await alice.send(long);
  await bob.expectFromContact(texts);
  for (const text of texts) await bob.send(text);
  await alice.expectFromContact(texts);
  return texts;
}

/** The body texts in the frames, in order: what the wire carried, before the client could hide a double. */
function bodiesOnWire(frames, label) {
  return frames.flatMap((frame) => [...frame.matchAll(/<body[^>]*>([^<]*)<\/body>/g)].map((m) => m[1]).filter((b) => b.startsWith(label)));
}

describe('converse_over_websocket', () => {
  const people = pair(0);
  const step = story('converse_over_websocket', people.evidence);
  let said; // what bob has said so far
  before(() => people.open());
  after(() => people.close());

  step('logs_in_through_its_form', async () => {
    await logInBoth(people, 'ws');
    const { wire } = people.alice;
    assert.ok(wire.receivedSome(/^<open /), 'the first frame starts with the bytes "<open "');
    assert.ok(wire.receivedSome(/<enabled[^>]*resume=['"](true|1)['"]/), 'stream management with resumption is on');
  });

  step('subscribes_in_both_directions', () => becomeContacts(people));

  step('f1_chats_with_emoji_right_to_left_and_50_kb_texts', async () => {
    said = await chatBothWays(people, 'ws');
  });

  step('f6_resumes_after_a_cut_link_with_every_message_exactly_once_in_order', async () => {
    const { alice, bob } = people;
    const counted = numbered('count', 1, 30);
    for (const text of counted.slice(0, 10)) await bob.send(text);
    await alice.expectFromContact([...said, ...counted.slice(0, 10)]);
    const [sentBefore, receivedBefore] = [alice.wire.sent.length, alice.wire.received.length];
    const bobBefore = (await bob.shownFromContact()).length;

    proxy.freeze();
    for (const text of counted.slice(10, 20)) await bob.send(text);
    await alice.send('said into a dead link');
    proxy.refuse(true);
    proxy.cut();
    for (const text of counted.slice(20)) await bob.send(text);
    proxy.refuse(false);

    await until('<resumed/>', () => alice.wire.receivedSome(/^<resumed /, receivedBefore));
    assert.ok(alice.wire.sentSome(/^<resume /, sentBefore), 'Converse asked to resume');
    assert.ok(!alice.wire.receivedSome(/^<failed /, receivedBefore), 'nothing failed');
    await alice.expectFromContact([...said, ...counted]);
    assert.deepEqual(bodiesOnWire(alice.wire.received.slice(receivedBefore), 'count '), counted.slice(10));
    await until('the message said into a dead link', async () => (await bob.shownFromContact()).length > bobBefore);
    said.push(...counted);
    await alice.send('after resumption');
    await bob.expectFromContact([...said.slice(0, bobBefore), 'said into a dead link', 'after resumption']);
    await screenshot(alice.page, 'converse-ws-resumed');
  });

  step('is_logged_in_again_after_a_reload_and_misses_nothing', async () => {
    const { alice, bob } = people;
    const meanwhile = numbered('meanwhile', 1, 5);
    const bobBefore = await bob.shownFromContact();
    await alice.leave();
    for (const text of meanwhile) await bob.send(text);
    await alice.comeBack();
    await alice.openChat(bob.jid);
    await until('the messages sent meanwhile', async () => (await alice.shownFromContact()).at(-1) === meanwhile.at(-1));
    await bob.send('are you back?');
    await until('the message after the reload', async () => (await alice.shownFromContact()).at(-1) === 'are you back?');
    assert.deepEqual((await alice.shownFromContact()).slice(-6), [...meanwhile, 'are you back?']);
    await alice.send('yes, back');
    await bob.expectFromContact([...bobBefore, 'yes, back']);
    await screenshot(alice.page, 'converse-ws-reloaded');
  });

  step('logs_out_and_is_gone_for_its_contact', async () => {
    const { alice, bob } = people;
    await alice.logOut();
    assert.ok(alice.wire.sentSome(/^<close /), 'Converse closed its stream');
    await bob.seesOffline(alice.jid);
  });
});

describe('converse_over_bosh', () => {
  const people = pair(2);
  const step = story('converse_over_bosh', people.evidence);
  let said;
  before(() => people.open({ webSocket: false }));
  after(() => people.close());

  step('logs_in_through_its_form', async () => {
    await logInBoth(people, 'bosh');
    const { wire } = people.alice;
    assert.ok(wire.sentSome(/^<body [^>]*rid=/), 'requests are BOSH bodies');
    assert.ok(wire.receivedSome(/^<body[^>]* sid=/), 'the session creation response carries a sid');
  });

  step('subscribes_in_both_directions', () => becomeContacts(people));

  step('f2_chats_with_emoji_right_to_left_and_50_kb_texts', async () => {
    said = await chatBothWays(people, 'bosh');
  });

  step('loses_and_doubles_nothing_when_connections_break', async () => {
    const { alice, bob } = people;
    const counted = numbered('count', 1, 20);
    const bobBefore = await bob.shownFromContact();
    proxy.freeze();
    for (const text of counted.slice(0, 10)) await bob.send(text);
    await alice.send('said into a dead link');
    proxy.cut();
    for (const text of counted.slice(10)) await bob.send(text);
    said.push(...counted);
    await alice.expectFromContact(said);
    await alice.send('after the break');
    await bob.expectFromContact([...bobBefore, 'said into a dead link', 'after the break']);
    await screenshot(alice.page, 'converse-bosh-after-the-break');
  });

  step('is_logged_in_again_after_a_reload', async () => {
    const { alice, bob } = people;
    const bobBefore = await bob.shownFromContact();
    await alice.leave();
    await alice.comeBack();
    await alice.openChat(bob.jid);
    await bob.send('are you back?');
    await until('the message after the reload', async () => (await alice.shownFromContact()).at(-1) === 'are you back?');
    await alice.send('yes, back');
    await bob.expectFromContact([...bobBefore, 'yes, back']);
    await screenshot(alice.page, 'converse-bosh-reloaded');
  });

  step('logs_out_and_is_gone_for_its_contact', async () => {
    const { alice, bob } = people;
    await alice.logOut();
    assert.ok(alice.wire.sentSome(/^<body [^>]*type="terminate"/), 'Converse terminated its session');
    await bob.seesOffline(alice.jid);
  });
});

describe('converse_whose_session_is_gone', () => {
  const people = pair(4);
  const step = story('converse_whose_session_is_gone', people.evidence);
  before(() => people.open());
  after(() => people.close());

  step('logs_in_and_subscribes', async () => {
    await logInBoth(people, 'gone');
    await becomeContacts(people);
  });

  step('starts_anew_when_resumption_fails_and_still_shows_every_message_exactly_once', async () => {
    const { alice, bob, accounts } = people;
    const counted = numbered('count', 1, 15);
    for (const text of counted.slice(0, 5)) await bob.send(text);
    await alice.expectFromContact(counted.slice(0, 5));
    const receivedBefore = alice.wire.received.length;

    proxy.refuse(true);
    proxy.cut();
    for (const text of counted.slice(5, 10)) await bob.send(text);
    // Somebody else takes the resource: that ends the hibernating session (RFC 6120 §7.7.2.2).
    const bound = alice.wire.received.map((frame) => /<jid>([^<]+)<\/jid>/.exec(frame)).find(Boolean)[1];
    const other = await Peer.connect(accounts[0], { resource: bound.split('/')[1] });
    assert.equal(other.jid, bound, 'the server gave the resource to its new owner');
    for (const text of counted.slice(10)) await bob.send(text);
    await other.stop();
    proxy.refuse(false);

    await until('<failed/>', () => alice.wire.receivedSome(/^<failed /, receivedBefore));
    assert.ok(alice.wire.receivedSome(/^<failed .*<item-not-found /, receivedBefore), 'the old session is not found');
    await alice.expectFromContact(counted);
    await bob.send('and on');
    await alice.expectFromContact([...counted, 'and on']);
    // What Converse had not acknowledged when the link broke comes again; nothing comes twice after that.
    const again = bodiesOnWire(alice.wire.received.slice(receivedBefore), 'count ');
    assert.ok(again.length >= 10 && again.length <= 15, `${again.length} messages`);
    assert.deepEqual(again, counted.slice(counted.length - again.length));
    await screenshot(alice.page, 'converse-gone-anew');
  });
});
