// A TCP proxy that breaks links on command, so that a test decides when and how a client loses its server.
//
// Three ways to lose it, since clients and servers notice them differently:
//   cut()     both halves are reset at once: everybody notices
//   freeze()  bytes stop in both directions while both sockets stay open: nobody notices (half-open)
//   refuse()  new connections are reset as they arrive: a reconnecting client finds nobody
// Bytes that were accepted but not yet forwarded are lost by cut(), like packets on a dead network.

import net from 'node:net';

export class CuttingProxy {
  #server;
  #target;
  #links = new Set();
  #refusing = false;
  #frozen = false;

  /** How many connections were accepted and forwarded since the start. */
  accepted = 0;

  /** Listens on a free loopback port; `target` is "host:port". */
  static async listen(target) {
    const proxy = new CuttingProxy(target);
    await new Promise((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  constructor(target) {
    const { hostname, port } = new URL(`tcp://${target}`);
    this.#target = { host: hostname, port: Number(port) };
    this.#server = net.createServer((near) => this.#accept(near));
  }

  get host() {
    return `127.0.0.1:${this.#server.address().port}`;
  }

  get open() {
    return this.#links.size;
  }

  /** The same URL, through this proxy. */
  through(url) {
    const through = new URL(url);
    through.host = this.host;
    return through.href;
  }

  #accept(near) {
    if (this.#refusing) {
      near.resetAndDestroy();
      return;
    }
    this.accepted += 1;
    const far = net.connect(this.#target);
    const link = { near, far };
    this.#links.add(link);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.setNoDelay(true);
      from.on('data', (bytes) => {
        if (!to.write(bytes)) from.pause();
      });
      to.on('drain', () => {
        if (!this.#frozen) from.resume();
      });
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroy();
        this.#links.delete(link);
      });
      if (this.#frozen) from.pause();
    }
  }

  /** Resets every open connection on both sides. */
  cut() {
    for (const { near, far } of this.#links) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    this.#links.clear();
    this.#frozen = false;
  }

  /** Stops forwarding, in both directions, and keeps the connections open. */
  freeze() {
    this.#frozen = true;
    this.#each((socket) => socket.pause());
  }

  thaw() {
    this.#frozen = false;
    this.#each((socket) => socket.resume());
  }

  #each(act) {
    for (const { near, far } of this.#links) {
      act(near);
      act(far);
    }
  }

  /** While true, new connections are reset as they arrive. */
  refuse(refusing) {
    this.#refusing = refusing;
  }

  async close() {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
