// How many <r/> and <a/> frames does a Strophe.js client cost that sends 200 messages? A measurement, not a test.
//
// Two gaits: "one by one" waits until the other side has a message before it sends the next, as people do;
// "at once" sends all of them in one go. Compare sm.unsolicited_ack_frequency 0 and 4 with `node run.mjs --acks`.

import { launch } from './lib/browser.mjs';
import { Peer } from './lib/peer.mjs';
import * as settings from './lib/settings.mjs';
import { numbered } from './lib/story.mjs';
import { StrophePage } from './lib/strophe.mjs';
import { until } from './lib/wait.mjs';

const MESSAGES = 200;
const GAITS = ['one by one', 'at once'];

function count(frames, name) {
  return frames.filter((frame) => frame.startsWith(`<${name} `)).length;
}

async function measure(browser, gait) {
  const bob = await Peer.connect(settings.account(1));
  const alice = await StrophePage.open(browser);
  await alice.logIn(settings.account(0), settings.wsUrl, { enableStreamManagement: true });
  await until('<enabled/>', () => alice.wire.receivedSome(/^<enabled /));
  const before = { sent: alice.wire.sent.length, received: alice.wire.received.length };
  const texts = numbered(gait, 1, MESSAGES);
  for (const [i, text] of texts.entries()) {
    await alice.say(bob.jid, text);
    if (gait === 'one by one') await until(text, () => bob.bodies().length === i + 1);
  }
  await until('all messages', () => bob.bodies().length === MESSAGES);
  await until('every ack', () => alice.page.evaluate(() => connection.sm.state.sinceLastAck < 5));
  const sent = alice.wire.sent.slice(before.sent);
  const received = alice.wire.received.slice(before.received);
  await alice.context.close();
  await bob.stop();
  return { rSent: count(sent, 'r'), aReceived: count(received, 'a'), rReceived: count(received, 'r'), aSent: count(sent, 'a') };
}

const browser = await launch();
try {
  for (const gait of GAITS) {
    const { rSent, aReceived, rReceived, aSent } = await measure(browser, gait);
    console.log(
      `${MESSAGES} messages ${gait.padEnd(10)}  client: ${rSent} <r/>, ${aSent} <a/>   server: ${rReceived} <r/>, ${aReceived} <a/>`,
    );
  }
} finally {
  await browser.close();
}
process.exit(0);
