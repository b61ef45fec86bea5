// The built-in page at `/`, as people and their keyboards use it.
//
// Parameters: STANZAD_HTTP (base of the page), STANZAD_USERS (JSON, at least two of {jid, password}), and
// STANZAD_CHROMIUM, STANZAD_OUT as for the other clients. The page runs under its own content security policy.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { faintTexts, namelessControls, repeatedIds } from './lib/eyes.mjs';

const BASE = new URL(process.env.STANZAD_HTTP ?? 'http://127.0.0.1:5280/').href;
const USERS = JSON.parse(process.env.STANZAD_USERS ?? '[]');
const OUT = process.env.STANZAD_OUT;
const PATIENCE_MS = 30_000;

// The last two, so that the sessions that it leaves hibernating are nobody else's contacts.
const [ada, bo] = USERS.slice(-2);
let browser;
let open = [];

before(async () => {
  assert.ok(USERS.length >= 2, 'STANZAD_USERS must name two accounts');
  const executablePath = process.env.STANZAD_CHROMIUM ?? '/usr/bin/chromium';
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
  browser = await chromium.launch({ executablePath, headless: true, args });
});

after(() => browser?.close());

// Whatever a test did: the browser found nothing to complain about, the policy of the page included.
afterEach(async () => {
  const complaints = open.flatMap((tab) => tab.complaints);
  await Promise.all(open.map((tab) => tab.context.close()));
  open = [];
  assert.deepEqual(complaints, []);
});

/** One person's tab: the page, and every XMPP frame that passed between it and the server. */
class Tab {
  sent = [];
  received = [];
  complaints = [];
  foreign = [];

  static async open(options = {}) {
    const tab = new Tab();
    tab.context = await browser.newContext({
      viewport: { width: 1280, height: 860 },
      acceptDownloads: true,
      ...options,
    });
    tab.context.setDefaultTimeout(PATIENCE_MS);
    tab.page = await tab.context.newPage();
    tab.#listen();
    open.push(tab);
    await tab.page.goto(BASE);
    await tab.page.locator('#version').filter({ hasText: /\S/ }).waitFor({ state: 'attached' }); // console.json has arrived
    return tab;
  }

  #listen() {
    const { page } = this;
    page.on('pageerror', (error) => this.complaints.push(error.stack));
    page.on(
      'console',
      (message) => ['error', 'warning'].includes(message.type()) && this.complaints.push(message.text()),
    );
    page.on('request', (request) => !request.url().startsWith(BASE) && this.foreign.push(request.url()));
    page.on('websocket', (socket) => {
      socket.on('framesent', ({ payload }) => this.sent.push(String(payload)));
      socket.on('framereceived', ({ payload }) => this.received.push(String(payload)));
    });
  }

  async signIn({ jid, password }) {
    await this.page.fill('#jid', jid);
    await this.page.fill('#password', password);
    await this.page.click('#sign-in-button');
    await this.is('online');
    return this;
  }

  is(state) {
    return this.page.locator(`#state[data-state="${state}"]`).waitFor();
  }

  async talkTo({ jid }) {
    await this.page.fill('#to', jid);
    await this.page.press('#to', 'Enter');
    await this.page.locator('#with').filter({ hasText: jid }).waitFor();
    return this;
  }

  async say(text) {
    await this.page.fill('#text', text);
    await this.page.press('#text', 'Enter');
  }

  /** Bodies of the open conversation, as shown, oldest first. */
  bodies(whose) {
    return this.page.locator(`#messages li${whose ? `.${whose}` : ''} .body`).allTextContents();
  }

  async hears(whose, expected) {
    await until(async () => (await this.bodies(whose)).length >= expected.length, `${expected.length} messages`);
    assert.deepEqual(await this.bodies(whose), expected);
  }

  async figure(name) {
    return (await this.page.locator(`[data-figure="${name}"]`).textContent()).trim();
  }

  /** Waits until a figure shows this: the page paints a moment after the frame. */
  async shows(name, expected) {
    await until(async () => (await this.figure(name)) === expected, `${name} = ${expected}`);
  }

  async h(place) {
    return Number(await this.page.locator(`[data-h="${place}"]`).textContent());
  }

  /** Both directions are in step: nothing unacknowledged, nothing unreported. */
  async inStep() {
    await this.page.click('#ask');
    const settled = async () =>
      (await this.figure('queue')) === '0' && (await this.h('out-near')) === (await this.h('out-far'));
    await until(settled, 'an empty unacked queue');
  }

  async screenshot(name) {
    if (!OUT) return;
    mkdirSync(OUT, { recursive: true });
    await this.page.screenshot({ path: path.join(OUT, `console-${name}.png`) });
  }
}

async function until(condition, what) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `no ${what} within ${PATIENCE_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function pair() {
  const [a, b] = await Promise.all([Tab.open().then((t) => t.signIn(ada)), Tab.open().then((t) => t.signIn(bo))]);
  await Promise.all([a.talkTo(bo), b.talkTo(ada)]);
  return [a, b];
}

const numbered = (word, count) => Array.from({ length: count }, (_, index) => `${word} ${index + 1}`);
const stanzas = (frames) => frames.filter((frame) => /^<(message|presence|iq)[\s>/]/.test(frame));
const since = (frames, pattern) => frames.slice(frames.findLastIndex((frame) => pattern.test(frame)) + 1);

describe('a conversation', () => {
  test('two_people_chat_in_order_with_emoji_markup_and_long_texts', async () => {
    const [a, b] = await pair();
    const long = 'Zwölf Boxkämpfer jagen Viktor quer. '.repeat(1400);
    const texts = ['Hello 👩🏽‍🚀 שלום', '<img src=x onerror="document.title=1"> & ]]> &amp;', 'two\n  lines', long];
    for (const text of texts) await a.say(text);
    await b.hears('theirs', texts);
    await b.say('and back');
    await a.hears('theirs', ['and back']);
    assert.equal(await b.page.locator('#messages img').count(), 0);
    await until(
      async () => (await a.page.locator('.fate[data-fate="stored"]').count()) === texts.length,
      'four confirmations',
    );
    await a.screenshot('chat');
  });

  test('counters_on_the_page_are_what_passed_on_the_wire', async () => {
    const [a, b] = await pair();
    for (const text of numbered('from a', 7)) await a.say(text);
    for (const text of numbered('from b', 4)) await b.say(text);
    await a.hears('theirs', numbered('from b', 4));
    await a.inStep();
    // The page paints a moment after the frame: all four are compared until they agree.
    const wire = () => [
      stanzas(since(a.sent, /^<enable /)).length,
      stanzas(since(a.received, /^<enabled /)).length,
      a.sent.filter((frame) => frame.startsWith('<r ')).length,
      a.received.filter((frame) => frame.startsWith('<a ')).length,
    ];
    const page = async () => [
      await a.h('out-near'),
      await a.h('in-near'),
      ...(await a.figure('asked')).split(' / ').map(Number),
    ];
    await until(async () => JSON.stringify(await page()) === JSON.stringify(wire()), 'agreement of page and wire');
    assert.match(await a.figure('rtt'), /^[\d.]+ ms$/);
    await b.shows('doubled', '0');
  });
});

describe('a lost link', () => {
  test('messages_of_both_sides_cross_a_cut_link_once_and_in_order', async () => {
    const [a, b] = await pair();
    await a.say('before');
    await b.hears('theirs', ['before']);
    await a.inStep();
    const handledBefore = await a.h('in-near');
    await a.page.uncheck('#by-itself');
    await a.page.click('#cut');
    await a.is('hibernating');
    for (const text of numbered('while you were away', 10)) await b.say(text);
    for (const text of numbered('written in the tunnel', 3)) await a.say(text);
    await a.shows('queue', '3');
    await a.screenshot('cut');
    await a.page.click('#resume');
    await a.is('online');
    await a.hears('theirs', numbered('while you were away', 10));
    await b.hears('theirs', ['before', ...numbered('written in the tunnel', 3)]);
    await a.inStep();
    const resumed = a.received.filter((frame) => frame.startsWith('<resumed'));
    assert.equal(resumed.length, 1);
    assert.ok(a.sent.some((frame) => frame.startsWith('<resume ') && frame.includes(`h="${handledBefore}"`)));
    await a.shows('resumptions', '1');
    await a.shows('resent', '3');
    await a.shows('doubled', '0');
    assert.match(await a.page.locator('#timeline').textContent(), /Resumed.*3 sent again/);
    await a.screenshot('resumed');
  });

  test('link_that_was_cut_comes_back_by_itself', async () => {
    const a = await (await Tab.open()).signIn(ada);
    await a.page.click('#cut');
    await a.is('hibernating');
    await a.is('online');
    await a.shows('resumptions', '1');
  });

  test('ten_cuts_in_a_row_lose_and_double_nothing', async () => {
    const [a, b] = await pair();
    await a.page.uncheck('#by-itself');
    const heard = [];
    for (let round = 1; round <= 10; round++) {
      await a.page.click('#cut');
      await b.say(`round ${round}`);
      await a.page.click('#resume');
      await a.is('online');
      heard.push(`round ${round}`);
      await a.hears('theirs', heard);
    }
    await a.shows('resumptions', '10');
  });

  test('session_that_is_gone_is_replaced_and_messages_without_an_answer_are_marked', async () => {
    const [a, b] = await pair();
    await a.page.uncheck('#by-itself');
    await a.page.routeWebSocket(/./, (socket) => {
      const server = socket.connectToServer();
      socket.onMessage((frame) => server.send(String(frame).replace(/ previd="[^"]*"/, ' previd="never-was"')));
    });
    await a.page.click('#cut');
    await a.is('hibernating');
    await a.say('did you get this?');
    await a.page.click('#resume');
    await a.is('online');
    assert.match(await a.page.locator('#timeline').textContent(), /Not resumed: item-not-found/);
    await a.page.locator('.fate[data-fate="unsure"] button').click();
    await b.hears('theirs', ['did you get this?']);
    await a.page.locator('.fate[data-fate="stored"]').waitFor();
    await a.shows('resumptions', '0');
  });

  test('reload_resumes_the_session_after_the_password_and_keeps_none', async () => {
    const [a, b] = await pair();
    await a.say('before the reload');
    await b.hears('theirs', ['before the reload']);
    await a.page.reload();
    const kept = await a.page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }) + document.cookie);
    assert.ok(!kept.includes(ada.password));
    await b.say('while it loads');
    if (!(await a.page.locator('#demo-accounts button').count())) {
      assert.equal(await a.page.inputValue('#jid'), ada.jid);
      assert.ok(await a.page.locator('#sign-in-waiting').isVisible());
      await a.page.fill('#password', ada.password);
      await a.page.press('#password', 'Enter');
    }
    await a.is('online');
    await a.hears('', ['before the reload', 'while it loads']);
    assert.ok(a.received.some((frame) => frame.startsWith('<resumed')));
  });
});

describe('signing in and out', () => {
  test('person_with_a_keyboard_signs_in_chats_and_logs_out', async () => {
    const a = await Tab.open();
    const { keyboard } = a.page;
    const tabTo = async (id) => {
      for (let steps = 0; (await a.page.evaluate(() => document.activeElement.id)) !== id; steps++) {
        assert.ok(steps < 60, `#${id} is not reached by Tab`);
        await keyboard.press('Tab');
      }
      const outline = await a.page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      assert.notEqual(outline, 'none', `#${id} shows no focus`);
    };
    await tabTo('jid');
    await keyboard.type(ada.jid);
    await tabTo('password');
    await keyboard.type(ada.password);
    await keyboard.press('Enter');
    await a.is('online');
    await tabTo('to');
    await keyboard.type(ada.jid);
    await keyboard.press('Enter');
    await a.page.locator('#text:focus').waitFor();
    await keyboard.type('note to myself');
    await keyboard.press('Enter');
    await until(async () => (await a.bodies('theirs')).includes('note to myself'), 'message to oneself');
    await tabTo('log-out');
    await keyboard.press('Enter');
    await a.is('offline');
    await a.page.locator('#jid:focus, #demo-accounts button:focus').waitFor();
  });

  test('wrong_password_is_said_at_the_form_and_the_right_one_works_after_it', async () => {
    const a = await Tab.open();
    await a.page.fill('#jid', ada.jid);
    await a.page.fill('#password', `${ada.password}-not`);
    await a.page.press('#password', 'Enter');
    await a.page.locator('#sign-in-error').filter({ hasText: 'Wrong address or password' }).waitFor();
    assert.equal(await a.page.locator('#sign-in-error').getAttribute('role'), 'alert');
    await a.page.locator('#password:focus').waitFor();
    await a.signIn(ada);
  });

  test('log_out_is_a_close_from_both_sides_and_nothing_is_kept', async () => {
    const a = await (await Tab.open()).signIn(ada);
    await a.page.click('#log-out');
    await a.is('offline');
    assert.match(a.sent.at(-1), /^<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"\/>$/);
    assert.match(a.received.at(-1), /^<close /);
    await a.page.locator('#welcome').waitFor();
    assert.equal(await a.page.inputValue('#password'), '');
    assert.equal(await a.page.locator('#messages li').count(), 0);
  });
});

describe('the wire', () => {
  test('every_frame_is_listed_and_none_shows_a_secret', async () => {
    const a = await (await Tab.open()).signIn(ada);
    await a.inStep();
    await until(
      async () => (await a.page.locator('#frames > li').count()) === a.sent.length + a.received.length,
      'row for each frame',
    );
    const saving = a.page.waitForEvent('download');
    await a.page.click('#save');
    const saved = readFileSync(await (await saving).path(), 'utf8');
    assert.equal(saved.trim().split(/\n(?=\d{4}-)/).length, a.sent.length + a.received.length);
    const secrets = [...a.sent, ...a.received]
      .map((frame) => />([A-Za-z0-9+/=]{16,})</.exec(frame)?.[1])
      .filter(Boolean);
    assert.ok(secrets.length >= 3, 'a SCRAM exchange was seen');
    for (const secret of [ada.password, ...secrets]) assert.ok(!saved.includes(secret), `${secret} is in the log`);
    assert.match(saved, /<auth .*characters hidden/);
  });

  test('frames_open_filter_pause_and_clear', async () => {
    const a = await (await Tab.open()).signIn(ada);
    const row = a.page.locator('.frame').filter({ hasText: 'jabber:iq:roster' }).first();
    await row.click();
    assert.equal(await row.getAttribute('aria-expanded'), 'true');
    assert.match(await a.page.locator('#frames pre').textContent(), /^<iq [^]*\n {2}<query/);
    await a.page.click('#filters [data-kind="sm"]');
    assert.equal(await a.page.locator('#frames li[data-kind="sm"]:visible').count(), 0);
    await a.page.click('#filters [data-kind="sm"]');
    await a.page.click('#pause');
    const before = await a.page.locator('#frames > li').count();
    await a.page.click('#ping');
    await a.page.locator('#wire-count').filter({ hasText: 'held back' }).waitFor();
    assert.equal(await a.page.locator('#frames > li').count(), before);
    await a.page.click('#pause');
    await until(async () => (await a.page.locator('#frames > li').count()) > before, 'frames that were held back');
    await a.page.click('#clear');
    await a.page.locator('#frames-empty').waitFor();
  });

  test('raw_xml_is_judged_before_and_answered_after_it_is_sent', async () => {
    const a = await (await Tab.open()).signIn(ada);
    await a.page.click('.raw summary');
    const verdict = a.page.locator('#raw-verdict');
    await a.page.selectOption('#sample', 'Unknown iq');
    await verdict.filter({ hasText: 'A stanza' }).waitFor();
    await a.page.click('#raw-send');
    await until(
      () => a.received.some((frame) => /id=['"]odd-1['"]/.test(frame) && frame.includes('service-unavailable')),
      'answer',
    );
    await a.page.fill('#xml', "<iq type='get'/>");
    await verdict.filter({ hasText: 'no stanza' }).waitFor();
    await a.page.fill('#xml', '<iq xmlns="jabber:client"');
    await verdict.filter({ hasText: 'Not well-formed' }).waitFor();
    await a.page.click('#raw-send');
    await until(() => a.received.some((frame) => frame.includes('not-well-formed')), 'stream error');
    await a.is('offline');
    await a.page.click('#resume');
    await a.is('online');
  });
});

describe('everybody', () => {
  test('page_needs_nothing_from_elsewhere', async () => {
    const a = await (await Tab.open()).signIn(ada);
    assert.deepEqual(a.foreign, []);
    const answer = await fetch(BASE);
    const policy = answer.headers.get('content-security-policy');
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*/);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  });

  test('every_control_has_a_name_and_the_page_has_its_landmarks', async () => {
    const a = await (await Tab.open()).signIn(ada);
    await a.talkTo(bo);
    assert.equal(await a.page.locator('html').getAttribute('lang'), 'en');
    assert.equal(await a.page.locator('h1').count(), 1);
    for (const role of ['main', 'banner', 'log', 'navigation']) {
      assert.ok((await a.page.getByRole(role, { includeHidden: true }).count()) >= 1, `no ${role}`);
    }
    assert.equal(await a.page.locator('#messages').getAttribute('aria-live'), 'polite');
    assert.equal(await a.page.locator('#state').getAttribute('role'), 'status');
    assert.deepEqual(await a.page.evaluate(namelessControls), []);
    assert.deepEqual(await a.page.evaluate(repeatedIds), []);
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`text_is_readable_in_${colorScheme}`, async () => {
      const a = await (await Tab.open({ colorScheme })).signIn(ada);
      await a.talkTo(ada);
      await a.say('can you read this?');
      await until(async () => (await a.bodies()).length === 2, 'message to oneself');
      assert.deepEqual(await a.page.evaluate(faintTexts), []);
      await a.screenshot(colorScheme);
    });
  }

  test('phone_of_320_pixels_shows_all_of_it_with_targets_for_thumbs', async () => {
    const a = await Tab.open({
      viewport: { width: 320, height: 640 },
      hasTouch: true,
      isMobile: true,
      reducedMotion: 'reduce',
    });
    const fits = async (where) => {
      const { wide, small } = await a.page.evaluate(() => {
        const wide = document.documentElement.scrollWidth > innerWidth;
        const seen = [
          ...document.querySelectorAll('button, input:not([type=checkbox]), select, textarea, summary, label.check'),
        ];
        const small = seen.filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 43.5);
        return { wide, small: small.map((e) => e.outerHTML.slice(0, 120)) };
      });
      assert.ok(!wide, `${where} scrolls sideways`);
      assert.deepEqual(small, [], where);
      await a.screenshot(`phone-${where}`);
    };
    await fits('welcome');
    await a.signIn(ada);
    await a.talkTo(bo);
    await a.say('W'.repeat(200));
    await fits('chat');
    for (const view of ['link', 'wire']) {
      await a.page.click(`.views [data-view="${view}"]`);
      await a.page.locator(`.pane.${view}`).waitFor();
      await fits(view);
    }
  });
});

describe('the parts without a page', () => {
  const module = (name) => {
    const source = readFileSync(new URL(`../../src/http/page/${name}`, import.meta.url), 'utf8');
    return import(`data:text/javascript,${encodeURIComponent(source)}`);
  };

  test('ack_that_wraps_past_zero_drops_the_stanzas_in_between', async () => {
    const { StreamManagement } = await module('sm.js');
    const entries = numbered('stanza', 5);
    const sm = new StreamManagement({ enabled: true, acked: 2 ** 32 - 2, unacked: [...entries] });
    assert.equal(sm.sent, 3);
    assert.deepEqual(sm.acknowledge(1), entries.slice(0, 3));
    assert.deepEqual(sm.acknowledge(1), []);
    assert.throws(() => sm.acknowledge(4), RangeError);
    assert.throws(() => sm.acknowledge(0), RangeError);
    assert.deepEqual(sm.unacked, entries.slice(3));
    sm.handled = 2 ** 32 - 1;
    sm.count();
    assert.equal(sm.handled, 0);
  });

  test('h_that_is_no_unsigned_32_bit_number_is_not_taken', async () => {
    const { readH } = await module('sm.js');
    assert.deepEqual(['0', '4294967295'].map(readH), [0, 4294967295]);
    assert.deepEqual(['4294967296', '-1', '1.5', '', ' 1', '1e3', null].map(readH), Array(7).fill(null));
  });

  test('xml_that_xmpp_forbids_is_named_with_its_place', async () => {
    const { fault } = await module('wellformed.js');
    const good = [
      '<a/>',
      " <a b='1' c=\"&lt;&#x1F600;\"> x &amp; <p:b xmlns:p='urn:p' p:c='' xml:lang='de'/> <![CDATA[<]]></a> \n",
      '<ä-ö.1 xmlns="x">é😀</ä-ö.1>',
      `<a>${'long '.repeat(20_000)}</a>`,
    ];
    for (const text of good) assert.equal(fault(text), null, text.slice(0, 60));
    const bad = {
      '': /no element/,
      text: /outside/,
      '<a/>b': /outside/,
      '<a/><b/>': /second element/,
      '<a>': /<a> is not closed/,
      '<a></b>': /<\/b> closes nothing; <a> is open/,
      '<a': /does not end/,
      '<a b=1/>': /does not end/,
      "<a b='1' b='2'/>": /stands twice/,
      "<a b='<'/>": /does not end/,
      '<a>&nbsp;</a>': /&amp;/,
      '<a>&#0;</a>': /not a character/,
      '<a>&#x110000;</a>': /not a character/,
      '<a>\u0001</a>': /U\+0001/,
      '<a>\uD800</a>': /U\+D800/,
      '<a>]]></a>': /]]&gt;/,
      '<p:a/>': /prefix p/,
      "<a p:b='1'/>": /prefix p/,
      '<a><!-- c --></a>': /comments/,
      '<?xml version="1.0"?><a/>': /processing/,
      '<!DOCTYPE a><a/>': /document type/,
      '<1/>': /no element begins/,
    };
    for (const [text, words] of Object.entries(bad)) assert.match(fault(text) ?? 'nothing', words, text);
    assert.match(fault('<a>\n  <b></a>'), /^line 2, column \d+: /);
  });

  test('scram_gives_the_proof_of_rfc_7677_and_demands_one', async () => {
    const { chooseMechanism } = await module('scram.js');
    const sasl = chooseMechanism(['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256'], 'user', 'pencil', true);
    assert.equal(sasl.mechanism, 'SCRAM-SHA-256');
    sasl.nonce = 'rOprNGfwEbeRWgbNEkqO';
    sasl.firstBare = `n=user,r=${sasl.nonce}`;
    const nonce = `${sasl.nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0`;
    const last = await sasl.next(btoa(`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`));
    assert.equal(atob(last), `c=biws,r=${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`);
    await sasl.done(btoa('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='));
    await assert.rejects(sasl.done(btoa('v=AAAA')), { condition: 'server-unproven' });
    await assert.rejects(sasl.done(''), { condition: 'server-unproven' });
  });

  test('scram_refuses_a_server_that_changes_the_nonce_or_the_rounds', async () => {
    const { chooseMechanism } = await module('scram.js');
    const sasl = chooseMechanism(['SCRAM-SHA-256'], 'user', 'pencil', false);
    const challenge = (r, i) => btoa(`r=${r},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=${i}`);
    for (const wrong of [
      challenge('other', 4096),
      challenge(sasl.nonce, 4096),
      challenge(`${sasl.nonce}x`, 1),
      challenge(`${sasl.nonce}x`, 1e9),
    ]) {
      await assert.rejects(sasl.next(wrong), { condition: 'malformed-request' });
    }
    assert.throws(() => chooseMechanism(['PLAIN'], 'user', 'pencil', false), { condition: 'invalid-mechanism' });
  });
});
