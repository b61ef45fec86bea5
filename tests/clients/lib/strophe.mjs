// Strophe.js in a page on the server's own origin, driven from the test.

import { fileURLToPath } from 'node:url';
import * as settings from './settings.mjs';
import { newPage } from './browser.mjs';
import { until } from './wait.mjs';

const STROPHE = fileURLToPath(new URL('../node_modules/strophe.js/dist/strophe.umd.min.js', import.meta.url));

/** Runs in the page: one connection, what became of it, and what it received. */
function pageScript() {
  Strophe.setLogLevel(Strophe.LogLevel.DEBUG);
  const names = Object.fromEntries(Object.entries(Strophe.Status).map(([name, number]) => [number, name]));
  window.statuses = [];
  window.bodies = [];
  window.presences = [];

  const onStatus = (status, condition) => {
    statuses.push(condition ? `${names[status]} ${condition}` : names[status]);
    if (status !== Strophe.Status.CONNECTED && status !== Strophe.Status.ATTACHED) return;
    connection.addHandler((message) => {
      const body = message.getElementsByTagName('body')[0];
      if (body) bodies.push(body.textContent);
      return true;
    }, null, 'message');
    connection.addHandler((presence) => presences.push(presence.getAttribute('from')), null, 'presence');
    const isNew = status === Strophe.Status.CONNECTED && !connection.hasResumed();
    if (isNew) connection.send($pres());
  };

  window.create = (service, options) => {
    window.connection = new Strophe.Connection(service, options);
  };
  window.connect = (jid, password) => connection.connect(jid, password, onStatus);
  window.restore = (jid) => connection.restore(jid, onStatus);
  window.attach = ({ jid, sid, rid }) => connection.attach(jid, sid, rid, onStatus);
  window.say = (to, body) => connection.send($msg({ to, type: 'chat', id: connection.getUniqueId() }).c('body').t(body));
  window.ask = (to, namespace) =>
    new Promise((resolve, reject) => {
      const iq = $iq({ to, type: 'get' }).c(namespace === 'urn:xmpp:ping' ? 'ping' : 'query', { xmlns: namespace });
      connection.sendIQ(iq, (answer) => resolve(answer.outerHTML), (error) => reject(new Error(error?.outerHTML ?? 'no answer')), 20_000);
    });
}

export class StrophePage {
  static async open(browser) {
    const { context, page, wire } = await newPage(browser);
    const self = new StrophePage(context, page, wire);
    await context.route(`${settings.httpUrl}/strophe`, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Strophe.js</title>' }),
    );
    await self.load();
    return self;
  }

  constructor(context, page, wire) {
    Object.assign(this, { context, page, wire });
  }

  /** (Re)loads the page with a fresh Strophe; the tab keeps its storage. */
  async load() {
    await this.page.goto(`${settings.httpUrl}/strophe`);
    await this.page.addScriptTag({ path: STROPHE });
    await this.page.evaluate(pageScript);
  }

  /** Logs in and waits until own presence came back: from now on messages arrive here. */
  async logIn({ jid, password }, service, options = {}) {
    this.account = { jid, password };
    await this.page.evaluate(([s, o]) => create(s, o), [service, options]);
    await this.connect();
    await this.reached('CONNECTED');
    await until(`presence of ${jid}`, () => this.page.evaluate(() => presences.includes(connection.jid)));
    this.fullJid = await this.page.evaluate(() => connection.jid);
  }

  async connect({ jid, password } = this.account) {
    await this.page.evaluate(() => (statuses.length = 0));
    await this.page.evaluate(([j, p]) => connect(j, p), [jid, password]);
  }

  statuses() {
    return this.page.evaluate(() => statuses);
  }

  async reached(status) {
    await until(`${status}`, async () => (await this.statuses()).some((s) => s.split(' ')[0] === status));
  }

  say(to, body) {
    return this.page.evaluate(([t, b]) => say(t, b), [to, body]);
  }

  ask(to, namespace) {
    return this.page.evaluate(([t, n]) => ask(t, n), [to, namespace]);
  }

  bodies() {
    return this.page.evaluate(() => bodies);
  }
}
