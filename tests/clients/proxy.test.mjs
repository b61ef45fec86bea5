// The cutting proxy breaks links as it says: the other tests rely on that.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { until, within } from './lib/wait.mjs';
import { CuttingProxy } from './proxy.mjs';

describe('cutting_proxy', () => {
  let echo;
  let proxy;
  let atServer; // what the server behind the proxy has received, all connections together

  before(async () => {
    echo = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        atServer += bytes;
        socket.write(bytes);
      });
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    proxy = await CuttingProxy.listen(`127.0.0.1:${echo.address().port}`);
  });

  beforeEach(() => {
    atServer = '';
    proxy.refuse(false);
    proxy.thaw();
  });

  after(async () => {
    await proxy.close();
    echo.close();
  });

  async function connect() {
    const socket = net.connect(new URL(`tcp://${proxy.host}`).port, '127.0.0.1');
    socket.received = '';
    socket.on('data', (bytes) => (socket.received += bytes));
    await once(socket, 'connect');
    return socket;
  }

  test('forwards_bytes_in_both_directions', async () => {
    const socket = await connect();
    const bytes = 'x'.repeat(1_000_000);
    socket.write(bytes);
    await until('the echo', () => socket.received.length === bytes.length);
    assert.equal(socket.received, bytes);
    socket.end();
    await within('the end', once(socket, 'close'));
    await until('no link left', () => proxy.open === 0);
  });

  test('cut_resets_the_client', async () => {
    const socket = await connect();
    socket.write('hello');
    await until('the echo', () => socket.received === 'hello');
    const reset = within('the reset', once(socket, 'error'));
    proxy.cut();
    const [error] = await reset;
    assert.equal(error.code, 'ECONNRESET');
    assert.equal(proxy.open, 0);
  });

  test('frozen_link_swallows_bytes_and_thawing_releases_them', async () => {
    const socket = await connect();
    socket.write('hello');
    await until('the echo', () => socket.received === 'hello');
    proxy.freeze();
    socket.write(' again');
    const other = await connect();
    other.write('me too');
    await until('a second link', () => proxy.open === 2);
    assert.equal(atServer, 'hello');
    assert.equal(socket.destroyed, false);
    proxy.thaw();
    await until('the echoes', () => socket.received === 'hello again' && other.received === 'me too');
    socket.destroy();
    other.destroy();
  });

  test('bytes_into_a_frozen_link_are_lost_by_the_cut', async () => {
    const socket = await connect();
    socket.write('before');
    await until('the echo', () => socket.received === 'before');
    proxy.freeze();
    socket.write('lost');
    const reset = within('the reset', once(socket, 'error'));
    proxy.cut();
    await reset;
    const next = await connect();
    next.write(' after');
    await until('the echo', () => next.received === ' after');
    assert.equal(atServer, 'before after');
    next.destroy();
  });

  test('refusing_proxy_resets_newcomers', async () => {
    proxy.refuse(true);
    const accepted = proxy.accepted;
    const socket = net.connect(new URL(`tcp://${proxy.host}`).port, '127.0.0.1');
    const [error] = await within('the reset', once(socket, 'error'));
    assert.equal(error.code, 'ECONNRESET');
    assert.equal(proxy.accepted, accepted);
  });
});
