// Chromium, and pages in it that stand on the server's own origin.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';
import * as settings from './settings.mjs';

const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Pages that a test answers itself count as public, and public pages may not reach loopback.
  '--disable-features=LocalNetworkAccessChecks',
];

/**
 * Starts a headless Chromium. With a proxy, the whole browser reaches the server through it while page, origin and
 * URLs stay those of the server, so that neither client nor server can tell.
 */
export async function launch(proxy) {
  const detour = proxy ? [`--host-resolver-rules=MAP ${settings.serverHost} ${proxy.host}`] : [];
  return chromium.launch({ executablePath: settings.chromium, headless: true, args: [...QUIET, ...detour] });
}

/** A fresh profile with one page that can reach the server and nothing else, and the traffic it has with the server. */
export async function newPage(browser) {
  const context = await browser.newContext();
  context.setDefaultTimeout(settings.patience_ms);
  await context.route(
    (url) => url.protocol.startsWith('http') && url.hostname !== '127.0.0.1' && url.hostname !== 'localhost',
    (route) => route.abort(),
  );
  const page = await context.newPage();
  return { context, page, wire: new Wire(page) };
}

/** Everything XMPP that a page sent and received, in order, as text; a BOSH body counts as one frame. */
export class Wire {
  sent = [];
  received = [];
  /** Both directions as { direction, text }, in the order in which they came to be known; whoever looks may empty it. */
  frames = [];
  /** Both directions and the console, for a person who looks into a failure. */
  log = [];

  constructor(page) {
    page.on('websocket', (socket) => {
      this.#note('--', `WebSocket ${socket.url()}`);
      socket.on('framesent', ({ payload }) => this.#sent(payload));
      socket.on('framereceived', ({ payload }) => this.#received(payload));
      socket.on('close', () => this.#note('--', 'WebSocket closed'));
    });
    const bosh = new URL(settings.boshUrl).pathname.replace(/\/$/, '');
    const isBosh = (request) => new URL(request.url()).pathname.startsWith(bosh) && request.method() === 'POST';
    page.on('request', (request) => isBosh(request) && this.#sent(request.postData()));
    page.on('requestfailed', (request) => isBosh(request) && this.#note('--', `failed: ${request.postData()}`));
    page.on('response', async (response) => {
      if (isBosh(response.request())) this.#received(await response.text().catch(() => ''));
    });
    page.on('console', (message) => this.#note('  ', message.text()));
    page.on('pageerror', (error) => this.#note('  ', error.stack));
  }

  #sent(frame) {
    this.sent.push(String(frame));
    this.frames.push({ direction: 'sent', text: String(frame) });
    this.#note('>>', frame);
  }

  #received(frame) {
    this.received.push(String(frame));
    this.frames.push({ direction: 'received', text: String(frame) });
    this.#note('<<', frame);
  }

  #note(mark, text) {
    this.log.push(`${new Date().toISOString().slice(11, 23)} ${mark} ${text}`);
  }

  receivedSome(pattern, from = 0) {
    return this.received.slice(from).some((frame) => pattern.test(frame));
  }

  sentSome(pattern, from = 0) {
    return this.sent.slice(from).some((frame) => pattern.test(frame));
  }
}

/** Saves what the page looks like now, for a person to look at. */
export async function screenshot(page, name) {
  mkdirSync(settings.outDir, { recursive: true });
  await page.screenshot({ path: path.join(settings.outDir, `${name}.png`) });
}
