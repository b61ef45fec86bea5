// A second person for the tests: xmpp.js, the lightest of the clients, with what it sent and received.

import { client, xml, jid as parseJid } from '@xmpp/client';
import WebSocket from 'ws';
import * as settings from './settings.mjs';
import { until, within } from './wait.mjs';

globalThis.WebSocket ??= WebSocket;

export { xml };

export class Peer {
  received = [];
  sent = [];
  errors = [];

  /**
   * Logs in over WebSocket; without presence until `available()`. xmpp.js zeroes its count of received stanzas a moment
   * after <enabled/> arrived, so that what came earlier is uncounted: unless `eager`, nothing is asked for before.
   */
  static async connect({ jid, password }, { service = settings.wsUrl, resource, eager = false } = {}) {
    const peer = new Peer();
    const { local } = parseJid(jid);
    peer.xmpp = client({ service, domain: settings.domain, username: local, password, resource, timeout: settings.patience_ms });
    peer.xmpp.on('element', (element) => peer.received.push(element));
    peer.xmpp.on('send', (element) => peer.sent.push(element));
    peer.xmpp.on('error', (error) => peer.errors.push(error));
    await within(`${jid} to be online`, peer.xmpp.start());
    peer.jid = peer.xmpp.jid.toString();
    if (eager) await peer.xmpp.send(xml('presence'));
    await until('stream management', () => peer.xmpp.streamManagement.enabled);
    return peer;
  }

  async available() {
    await this.xmpp.send(xml('presence'));
    await until('own presence', () => this.received.some((s) => s.is('presence') && s.attrs.from === this.jid));
  }

  async say(to, body) {
    await this.xmpp.send(xml('message', { to, type: 'chat', id: `m-${Math.random()}` }, xml('body', {}, body)));
  }

  /** The bodies received, in order. */
  bodies() {
    return this.received.filter((s) => s.is('message')).map((s) => s.getChildText('body')).filter((body) => body !== null);
  }

  /** Leaves every contact and drops what was stored offline, so that a test starts from nothing. */
  static async forget(account) {
    const peer = await Peer.connect(account);
    await peer.available();
    const roster = await peer.xmpp.iqCaller.get(xml('query', { xmlns: 'jabber:iq:roster' }));
    for (const { attrs: { jid } } of roster.getChildren('item')) {
      await peer.xmpp.iqCaller.set(xml('query', { xmlns: 'jabber:iq:roster' }, xml('item', { jid, subscription: 'remove' })));
    }
    await peer.stop();
  }

  async away() {
    await this.xmpp.send(xml('presence', { type: 'unavailable' }));
  }

  async authorise(jid) {
    await this.xmpp.send(xml('presence', { to: jid, type: 'subscribed' }));
  }

  async enableCarbons() {
    await this.xmpp.iqCaller.set(xml('enable', { xmlns: 'urn:xmpp:carbons:2' }));
  }

  /** The bodies in the carbons received ("sent" or "received"), in order. */
  carbons(direction) {
    return this.received
      .map((s) => s.getChild(direction, 'urn:xmpp:carbons:2')?.getChild('forwarded', 'urn:xmpp:forward:0')?.getChild('message'))
      .filter(Boolean)
      .map((message) => message.getChildText('body'));
  }

  /** Asks for the presence of `jid`. */
  async subscribe(jid) {
    await this.xmpp.send(xml('presence', { to: jid, type: 'subscribe' }));
  }

  async stop() {
    this.xmpp.reconnect.stop();
    await this.xmpp.stop();
  }
}
