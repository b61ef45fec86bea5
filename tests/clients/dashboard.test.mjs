// The operator's page on the admin port, as people and their keyboards use it, beside clients that come and go.
//
// Parameters: STANZAD_ADMIN (base of the page) and those of the other clients. The tests of the token start a server of their
// own, by STANZAD_BIN. The page runs under its own content security policy.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { launch } from './lib/browser.mjs';
import { faintTexts, namelessControls, repeatedIds } from './lib/eyes.mjs';
import { Peer } from './lib/peer.mjs';
import { startServer } from './lib/server.mjs';
import * as settings from './lib/settings.mjs';
import { until } from './lib/wait.mjs';

const ADMIN = process.env.STANZAD_ADMIN && new URL(process.env.STANZAD_ADMIN).href;
const OUT = process.env.STANZAD_OUT;
const [ada, bo] = [settings.account(8), settings.account(9)];
const skip = !ADMIN && 'STANZAD_ADMIN is not set, so there is no admin port to look at';
let browser;
let open = [];
let peers = [];

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

// Whatever a test did: the browser found nothing to complain about, the policy of the page included.
afterEach(async () => {
  const complaints = open.flatMap((tab) => tab.complaints);
  const foreign = open.flatMap((tab) => tab.foreign);
  await Promise.all(open.map((tab) => tab.context.close()));
  await Promise.allSettled(peers.map((peer) => peer.stop()));
  open = [];
  peers = [];
  assert.deepEqual(complaints, []);
  assert.deepEqual(foreign, []);
});

/** An operator's tab. */
class Tab {
  complaints = [];
  foreign = [];

  static async open({ base = ADMIN, ...options } = {}) {
    const tab = new Tab();
    tab.context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
    tab.context.setDefaultTimeout(settings.patience_ms);
    tab.page = await tab.context.newPage();
    const { page } = tab;
    page.on('pageerror', (error) => tab.complaints.push(error.stack));
    page.on('console', (message) => {
      const isAnswer = /^Failed to load resource: .* status of 40[014] /.test(message.text()); // what the page shows in words of its own
      if (['error', 'warning'].includes(message.type()) && !isAnswer) tab.complaints.push(message.text());
    });
    page.on('request', (request) => !request.url().startsWith(base) && tab.foreign.push(request.url()));
    open.push(tab);
    await page.goto(base);
    return tab;
  }

  /** The operator sees that it serves. */
  async serving() {
    await this.page.locator('#state[data-state="online"]').waitFor();
    return this;
  }

  async search(text) {
    await this.page.fill('#user', text);
    await this.page.press('#user', 'Enter');
  }

  row(jid) {
    return this.page.locator('#sessions tbody tr').filter({ hasText: jid });
  }

  jids() {
    return this.page.locator('#sessions tbody th').allTextContents();
  }

  figure(name) {
    return this.page.locator(`[data-figure="${name}"]`).textContent();
  }

  fact(name) {
    return this.page.locator(`[data-fact="${name}"] dd`);
  }

  async screenshot(name) {
    if (!OUT) return;
    mkdirSync(OUT, { recursive: true });
    await this.page.screenshot({ path: path.join(OUT, `dashboard-${name}.png`), fullPage: true });
  }
}

async function client(account, resource) {
  const peer = await Peer.connect(account, { resource });
  peers.push(peer);
  return peer;
}

describe('sessions', { skip }, () => {
  test('sessions_are_listed_as_they_come_and_go', async () => {
    const tab = await (await Tab.open()).serving();
    await tab.search(ada.jid);
    await tab.page.locator('#nobody').filter({ hasText: `No session of ${ada.jid}` }).waitFor();
    const one = await client(ada, 'one');
    await tab.row(one.jid).waitFor();
    const two = await client(ada, 'two');
    await tab.row(two.jid).waitFor();
    assert.match(await tab.row(two.jid).textContent(), /Attached.*web · websocket · 127\.0\.0\.1/);
    assert.equal(await tab.page.locator('#sessions-count').textContent(), '2');
    const attached = Number(await tab.figure('attached'));
    await one.stop();
    await tab.row(one.jid).waitFor({ state: 'detached' });
    await until('the figure', async () => Number(await tab.figure('attached')) === attached - 1);
    assert.deepEqual(await tab.jids(), [two.jid]);
    await tab.screenshot('sessions');
  });

  test('user_is_found_by_name_alone_and_a_name_that_is_none_is_said', async () => {
    const tab = await (await Tab.open()).serving();
    await client(ada, 'one');
    const other = await client(bo, 'other');
    await tab.search(bo.local);
    await until('one user', async () => (await tab.jids()).join() === other.jid);
    await tab.search('@@');
    await tab.page.locator('#search-error').filter({ hasText: 'no bare address' }).waitFor();
    await tab.search('');
    await tab.row(`${ada.jid}/one`).waitFor();
    assert.equal(await tab.page.locator('#search-error').textContent(), '');
  });

  test('session_is_looked_at_and_ended_after_a_second_thought', async () => {
    const tab = await (await Tab.open()).serving();
    const peer = await client(ada, 'doomed');
    const spared = await client(ada, 'spared');
    await tab.search(ada.jid);
    await tab.row(peer.jid).getByRole('button').click();
    await tab.page.locator('#one-title').filter({ hasText: peer.jid }).waitFor();
    assert.equal(await tab.fact('State').textContent(), 'Attached');
    assert.equal(await tab.fact('Path').textContent(), '/ws');
    const before = await tab.fact('From the client').textContent();
    assert.match(before, /^\d+ stanzas, [\d.]+ K?i?B$/);
    for (let n = 0; n < 3; n++) await peer.say(spared.jid, 'x');
    await until('counters that grow', async () => Number.parseInt(await tab.fact('From the client').textContent(), 10) === Number.parseInt(before, 10) + 3);
    assert.match(await tab.fact('Id').textContent(), /^[0-9a-f]{32}$/);
    await tab.screenshot('session');
    await tab.page.click('#one-close');
    assert.ok(await tab.page.locator('#one-no:focus').count(), 'what does no harm has the focus');
    await tab.page.click('#one-no');
    await tab.page.click('#one-close');
    peer.xmpp.reconnect.stop();
    await tab.page.click('#one-yes');
    await tab.page.locator('#one-gone').filter({ hasText: 'over' }).waitFor();
    await until('the end of the stream', () => peer.xmpp.status === 'offline' || peer.xmpp.status === 'disconnect');
    assert.ok(peer.errors.some((error) => error.condition === 'policy-violation'), String(peer.errors));
    await tab.page.keyboard.press('Escape');
    await tab.row(peer.jid).waitFor({ state: 'detached' });
    await tab.row(spared.jid).waitFor();
  });

  test('long_list_is_turned_page_by_page', async () => {
    const tab = await (await Tab.open()).serving();
    const ids = Array.from({ length: 70 }, (_, index) => index.toString(16).padStart(32, '0'));
    const all = ids.map((id) => ({
      id, jid: `a@example.org/${id.slice(-2)}`, attached: true, endpoint: 'web', path: '/ws', query: '', transport: 'websocket',
      address: '127.0.0.1', login: null, data: {}, groups: [], waiting: 0, held_bytes: 0,
    }));
    await tab.page.route('**/v1/sessions?*', (route) => {
      const query = new URL(route.request().url()).searchParams;
      const start = query.has('after') ? ids.indexOf(query.get('after')) + 1 : 0;
      const sessions = all.slice(start, start + Number(query.get('limit')));
      const last = sessions.at(-1).id;
      return route.fulfill({ json: { sessions, total: 70, next: last === ids.at(-1) ? null : last } });
    });
    await until('the first page', async () => (await tab.jids()).length === 50);
    assert.equal(await tab.page.locator('#sessions-count').textContent(), '50 of 70');
    await tab.page.click('#next');
    await until('the last page', async () => (await tab.jids()).length === 20);
    assert.ok(await tab.page.locator('#next').isDisabled());
    await tab.page.click('#first');
    await until('the first page', async () => (await tab.jids()).length === 50);
  });
});

describe('plots', { skip }, () => {
  test('plots_grow_with_each_second_and_say_what_they_show', async () => {
    const tab = await (await Tab.open()).serving();
    await client(ada, 'one');
    await until('three points', async () => {
      const line = await tab.page.locator('.plot').nth(2).locator('.series').first().getAttribute('d');
      return (line?.match(/[ML]/g) ?? []).length >= 3;
    });
    const value = async (name) => Number.parseFloat(await tab.page.locator(`[data-now="${name}"]`).textContent());
    const [one, two] = [await client(ada, 'talker'), await client(bo, 'listener')];
    await two.available();
    const talk = setInterval(() => void one.say(two.jid, 'x'), 100);
    try {
      await until('throughput', async () => (await value('in')) > 1 && (await value('out')) > 1);
      await until('the latency of acks', async () => (await value('p50')) > 0 && (await value('p95')) >= (await value('p50')));
      await tab.screenshot('plots');
    } finally {
      clearInterval(talk);
    }
    const label = await tab.page.locator('.plot svg').nth(2).getAttribute('aria-label');
    assert.match(label, /^Who is here in the last 120 seconds; now: attached \d+, hibernating \d+$/);
  });

  const module = (name) => {
    const source = readFileSync(new URL(`../../src/server/admin/page/${name}`, import.meta.url), 'utf8');
    return import(`data:text/javascript,${encodeURIComponent(source)}`);
  };

  test('rates_and_quantiles_are_told_only_where_they_are_known', async () => {
    const { between, quantile, rate, round, size } = await module('rates.js');
    assert.equal(rate(10, 30, 2), 10);
    for (const [before, after, seconds] of [[undefined, 5, 1], [5, null, 1], [30, 10, 2], [1, 2, 0]]) {
      assert.equal(rate(before, after, seconds), null);
    }
    const bounds = [0.1, 1, 10];
    const grown = between({ bounds, counts: [1, 0, 0, 0] }, { bounds, counts: [3, 2, 0, 0] });
    assert.deepEqual(grown.counts, [2, 2, 0, 0]);
    assert.equal(quantile(grown, 0.5), 0.1);
    assert.ok(Math.abs(quantile(grown, 0.75) - 0.55) < 1e-9);
    assert.equal(quantile({ bounds, counts: [0, 0, 0, 7] }, 0.5), 10);
    assert.equal(between({ bounds, counts: [3, 0, 0, 0] }, { bounds, counts: [1, 0, 0, 0] }), null);
    assert.equal(between({ bounds, counts: [3, 0, 0, 0] }, { bounds, counts: [3, 0, 0, 0] }), null);
    assert.equal(quantile(null, 0.5), null);
    assert.deepEqual([0, 712, 1434, 2 ** 29, 2 ** 42].map(size), ['0 B', '712 B', '1.4 KiB', '512 MiB', '4096 GiB']);
    assert.deepEqual([1, 1.1, 3, 0.02, 0.6, 99].map(round), [1, 2, 5, 0.02, 1, 100]);
  });
});

describe('the token', { skip: skip || (!process.env.STANZAD_BIN && 'STANZAD_BIN is not set') }, () => {
  const TOKEN = 'correct-horse-battery-staple';
  let server;
  let dir;

  before(async () => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'stanzad-token-'));
    writeFileSync(path.join(dir, 'token'), `${TOKEN}\n`);
    const sets = [`admin.token_file=${path.join(dir, 'token')}`];
    server = await startServer(path.resolve(process.env.STANZAD_BIN), sets, path.resolve(OUT || 'out', 'dashboard'));
  });
  after(async () => {
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  test('token_is_asked_for_kept_by_the_tab_and_forgotten', async () => {
    const tab = await Tab.open({ base: new URL(server.env.STANZAD_ADMIN).href });
    await tab.page.locator('#token:focus').waitFor();
    assert.ok(!(await tab.page.locator('#main').isVisible()));
    await tab.page.keyboard.type('wrong-horse-battery-staple');
    await tab.page.keyboard.press('Enter');
    await tab.page.locator('#token-error').filter({ hasText: 'not the token' }).waitFor();
    await tab.screenshot('token');
    await tab.page.fill('#token', TOKEN);
    await tab.page.press('#token', 'Enter');
    await tab.serving();
    await tab.page.locator('#main').waitFor();
    assert.equal(await tab.page.inputValue('#token'), '');
    await tab.page.reload();
    await tab.serving();
    const kept = await tab.page.evaluate(() => JSON.stringify({ ...localStorage }) + document.cookie);
    assert.ok(!kept.includes(TOKEN));
    await tab.page.click('#forget');
    await tab.page.locator('#token').waitFor();
    assert.equal(await tab.page.evaluate(() => JSON.stringify({ ...sessionStorage })), '{}');
    await tab.page.reload();
    await tab.page.locator('#token:focus').waitFor();
  });
});

describe('everybody', { skip }, () => {
  test('person_with_a_keyboard_finds_a_session_and_ends_it', async () => {
    const tab = await (await Tab.open()).serving();
    const peer = await client(ada, 'one');
    peer.xmpp.reconnect.stop();
    const { keyboard } = tab.page;
    const tabTo = async (wanted) => {
      for (let steps = 0; !(await tab.page.evaluate((css) => document.activeElement.matches(css), wanted)); steps++) {
        assert.ok(steps < 60, `${wanted} is not reached by Tab`);
        await keyboard.press('Tab');
      }
      const outline = await tab.page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      assert.notEqual(outline, 'none', `${wanted} shows no focus`);
    };
    await tabTo('#user');
    await keyboard.type(ada.jid);
    await keyboard.press('Enter');
    await until('the session alone', async () => (await tab.jids()).join() === peer.jid);
    await tabTo('#sessions tbody button');
    await keyboard.press('Enter');
    await tab.page.locator('#one-title').filter({ hasText: peer.jid }).waitFor();
    await tabTo('#one-close');
    await keyboard.press('Enter');
    await tabTo('#one-yes');
    await keyboard.press('Enter');
    await tab.page.locator('#one-gone').filter({ hasText: 'over' }).waitFor();
    await keyboard.press('Escape');
    await tab.page.locator('#nobody').waitFor();
  });

  test('page_needs_nothing_from_elsewhere_and_says_so', async () => {
    const answer = await fetch(ADMIN);
    const policy = answer.headers.get('content-security-policy');
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*/);
    const html = await answer.text();
    assert.doesNotMatch(html, /https?:|style=|<script>|onclick/);
    const css = readFileSync(new URL('../../src/server/admin/page/dashboard.css', import.meta.url), 'utf8');
    assert.doesNotMatch(css, /url\(|@import/);
  });

  test('every_control_has_a_name_and_the_page_has_its_landmarks', async () => {
    const tab = await (await Tab.open()).serving();
    const peer = await client(ada, 'one');
    await tab.search(ada.jid);
    await tab.row(peer.jid).getByRole('button').click();
    await tab.fact('State').waitFor();
    assert.equal(await tab.page.locator('html').getAttribute('lang'), 'en');
    assert.equal(await tab.page.locator('h1').count(), 1);
    for (const role of ['main', 'banner', 'search', 'navigation', 'table', 'dialog']) {
      assert.ok((await tab.page.getByRole(role, { includeHidden: true }).count()) >= 1, `no ${role}`);
    }
    assert.equal(await tab.page.getByRole('dialog').getAttribute('aria-labelledby'), 'one-title');
    assert.deepEqual(await tab.page.evaluate(namelessControls), []);
    assert.deepEqual(await tab.page.evaluate(repeatedIds), []);
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`text_is_readable_in_${colorScheme}`, async () => {
      const tab = await (await Tab.open({ colorScheme })).serving();
      const peer = await client(ada, 'one');
      await tab.row(peer.jid).waitFor();
      assert.deepEqual(await tab.page.evaluate(faintTexts), []);
      await tab.screenshot(colorScheme);
      await tab.row(peer.jid).getByRole('button').click();
      await tab.fact('State').waitFor();
      await tab.page.click('#one-close');
      assert.deepEqual(await tab.page.evaluate(faintTexts), []);
      await tab.screenshot(`${colorScheme}-session`);
    });
  }

  test('phone_of_320_pixels_shows_all_of_it_with_targets_for_thumbs', async () => {
    const tab = await Tab.open({ viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true, reducedMotion: 'reduce' });
    await tab.serving();
    const peer = await client(ada, 'a-resource-with-a-rather-long-name-that-does-not-break-anywhere');
    await tab.search(ada.jid);
    await tab.row(peer.jid).waitFor();
    const fits = async (where) => {
      const { wide, small } = await tab.page.evaluate(() => {
        const wide = document.documentElement.scrollWidth > innerWidth;
        const seen = [...document.querySelectorAll('button, input:not([type=checkbox])')];
        const small = seen.filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 43.5);
        return { wide, small: small.map((e) => e.outerHTML.slice(0, 120)) };
      });
      assert.ok(!wide, `${where} scrolls sideways`);
      assert.deepEqual(small, [], where);
      await tab.screenshot(`phone-${where}`);
    };
    await fits('list');
    await tab.row(peer.jid).getByRole('button').click();
    await tab.fact('State').waitFor();
    await fits('session');
  });
});
