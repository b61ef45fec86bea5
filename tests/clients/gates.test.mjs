// Converse.js with a ticket and without a password, Strophe.js with a token: the ways in that a web application gives.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch, newPage, screenshot } from './lib/browser.mjs';
import { startServer } from './lib/server.mjs';
import * as settings from './lib/settings.mjs';
import { until } from './lib/wait.mjs';

const TOKEN = 'an-access-token-of-the-identity-provider';
const STROPHE = fileURLToPath(new URL('node_modules/strophe.js/dist/strophe.umd.min.js', import.meta.url));
const ENDPOINTS = "endpoint=[{name='web', path='/ws/', auth=['ticket']}, {name='open', path='/open/'}]";

const skip = !process.env.STANZAD_BIN && 'STANZAD_BIN is not set';

describe('who comes by what the web application gave', { skip }, () => {
  let browser;
  let dir;
  let server;
  let user;

  before(async () => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'stanzad-gates-'));
    const tokens = path.join(dir, 'tokens');
    const hash = createHash('sha256').update(TOKEN).digest('hex');
    writeFileSync(tokens, `${hash} person1@localhost\n`);
    const sets = [ENDPOINTS, `auth.token.file=${tokens}`];
    server = await startServer(path.resolve(process.env.STANZAD_BIN), sets, path.join(settings.outDir, 'gates'));
    user = JSON.parse(server.env.STANZAD_USERS)[0].jid;
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** An empty page of the application, on the server's own origin. */
  async function ownPage() {
    const opened = await newPage(browser);
    const address = `${server.env.STANZAD_HTTP}/own`;
    const body = '<!doctype html><title>The application</title><link rel=stylesheet href="/client/dist/converse.min.css">';
    await opened.context.route(address, (route) => route.fulfill({ contentType: 'text/html', body }));
    await opened.page.goto(address);
    return opened;
  }

  async function ticket() {
    const answer = await fetch(`${server.env.STANZAD_ADMIN}/v1/tickets`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user, endpoint: 'web' }),
    });
    assert.equal(answer.status, 201);
    return (await answer.json()).url;
  }

  test('x5_converse_logs_in_by_a_ticket_without_a_password', async () => {
    const { context, page, wire } = await ownPage();
    const url = await ticket();
    await page.addScriptTag({ url: '/client/dist/converse.min.js', type: 'module' });
    await page.waitForFunction(() => window.converse); // a module runs in its own time
    await page.evaluate(
      ([jid, websocket_url]) => {
        const assets_path = `${location.origin}/client/dist/`;
        const login = { authentication: 'external', auto_login: true, jid, websocket_url };
        const rest = { assets_path, autocomplete_providers_url: '', discover_connection_methods: false, view_mode: 'fullscreen' };
        converse.initialize({ ...login, ...rest });
      },
      [user, url],
    );
    await page.locator('.roster-contacts').waitFor();
    await until('the initial presence', () => wire.sentSome(/<presence[ >]/));
    await screenshot(page, 'converse-ticket');
    assert.ok(wire.sentSome(/mechanism=['"]EXTERNAL['"]/), wire.log.join('\n'));
    assert.ok(!wire.sentSome(/SCRAM|PLAIN/), 'it asked for no password');
    const sessions = await fetch(`${server.env.STANZAD_ADMIN}/v1/sessions?user=${encodeURIComponent(user)}`);
    assert.equal((await sessions.json()).total, 1);
    await context.close();
  });

  test('w6_strophe_logs_in_by_oauthbearer', async () => {
    const { context, page, wire } = await ownPage();
    await page.addScriptTag({ path: STROPHE });
    const logIn = (token) =>
      page.evaluate(
        ([jid, password]) =>
          new Promise((resolve) => {
            const address = `${location.origin.replace(/^http/, 'ws')}/open/`;
            const connection = new Strophe.Connection(address, { mechanisms: [Strophe.SASLOAuthBearer] });
            const { CONNECTED, AUTHFAIL } = Strophe.Status;
            connection.connect(jid, password, (status) => {
              if (status === CONNECTED) resolve(`connected ${connection.jid}`);
              if (status === AUTHFAIL) resolve('refused');
            });
          }),
        [user, token],
      );
    assert.equal(await logIn('another-token'), 'refused');
    assert.match(await logIn(TOKEN), new RegExp(`^connected ${user}/`));
    assert.ok(wire.sentSome(/mechanism=['"]OAUTHBEARER['"]/), wire.log.join('\n'));
    await context.close();
  });
});
