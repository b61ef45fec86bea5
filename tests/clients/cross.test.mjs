// A person on WebSocket and a person on BOSH are on the same server: neither can tell (B-36).

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch } from './lib/browser.mjs';
import { Peer } from './lib/peer.mjs';
import * as settings from './lib/settings.mjs';
import { longText, numbered } from './lib/story.mjs';
import { StrophePage } from './lib/strophe.mjs';
import { until } from './lib/wait.mjs';

const ALICE = settings.account(0);
const BOB = settings.account(1);

describe('websocket_and_bosh', () => {
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  test('f2_chat_with_each_other_in_order_and_byte_for_byte', async () => {
    const [alice, bob] = await Promise.all([StrophePage.open(browser), StrophePage.open(browser)]);
    await alice.logIn(ALICE, settings.wsUrl, { enableStreamManagement: true });
    await bob.logIn(BOB, settings.boshUrl);
    const texts = (name) => [...numbered(name, 1, 20), longText(50), ...numbered(name, 21, 20)];
    const [said, heard] = [texts('from websocket'), texts('from bosh')];
    for (let i = 0; i < said.length; i += 1) {
      await alice.say(bob.fullJid, said[i]);
      await bob.say(alice.fullJid, heard[i]);
    }
    await until('all messages', async () => (await alice.bodies()).length >= heard.length && (await bob.bodies()).length >= said.length);
    assert.deepEqual(await bob.bodies(), said);
    assert.deepEqual(await alice.bodies(), heard);
    await Promise.all([alice.context.close(), bob.context.close()]);
  });

  test('share_one_account_with_carbons_of_what_the_other_says', async () => {
    const [desk, phone] = [await StrophePage.open(browser), await Peer.connect(ALICE)];
    const other = await Peer.connect(BOB);
    await Promise.all([phone.available(), other.available()]);
    await phone.enableCarbons();
    await desk.logIn(ALICE, settings.boshUrl);
    const said = numbered('said over bosh', 1, 5);
    for (const body of said) await desk.say(other.jid, body);
    await until('the messages', () => other.bodies().length >= said.length);
    await until('their carbons', () => phone.carbons('sent').length >= said.length);
    assert.deepEqual(other.bodies(), said);
    assert.deepEqual(phone.carbons('sent'), said);
    await Promise.all([phone.stop(), other.stop(), desk.context.close()]);
  });
});
