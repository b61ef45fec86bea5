// A stanzad of our own: temporary state, free loopback ports, a few accounts, ended by its process id.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const DOMAIN = 'localhost';
const ACCOUNTS = 14;
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;
const CONVERSE = fileURLToPath(new URL('../node_modules/converse.js', import.meta.url));

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function configuration({ port, tlsPort, adminPort, dir }) {
  return `
domain = "${DOMAIN}"
public_url = "http://127.0.0.1:${port}"
state_dir = "${path.join(dir, 'state')}"

[listen]
plain = "127.0.0.1:${port}"
tls = "127.0.0.1:${tlsPort}"
admin = "127.0.0.1:${adminPort}"

[bosh]
enabled = true

[sm]
enabled = true

[web]
client_dir = "${CONVERSE}"
`;
}

/** Runs a stanzad command to its end, with `input` on its standard input. */
async function command(bin, args, input) {
  const child = spawn(bin, args, { stdio: ['pipe', 'inherit', 'inherit'] });
  child.stdin.end(input);
  const code = await exitOf(child);
  if (code !== 0) throw new Error(`${bin} ${args.join(' ')} ended with ${code}`);
}

function exitOf(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? signal));
  });
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.end());
  });
}

/** Starts `bin` with `sets` ("key=value") on top of the configuration; returns the environment for the tests, `stop` and `restart`. */
export async function startServer(bin, sets = [], outDir) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'stanzad-clients-'));
  mkdirSync(path.join(dir, 'state'), { mode: 0o700 });
  mkdirSync(outDir, { recursive: true });
  const [port, tlsPort, adminPort] = [await freePort(), await freePort(), await freePort()];
  const config = path.join(dir, 'stanzad.toml');
  writeFileSync(config, configuration({ port, tlsPort, adminPort, dir }));

  const users = Array.from({ length: ACCOUNTS }, (_, i) => ({
    jid: `person${i + 1}@${DOMAIN}`,
    password: randomBytes(9).toString('base64url'),
  }));
  const lines = users.map(({ jid, password }) => `${jid} ${password}\n`).join('');
  await command(bin, ['user', 'import', '--config', config], lines);

  const args = ['serve', '--config', config, ...sets.flatMap((set) => ['--set', set])];
  const log = path.join(outDir, 'stanzad.log');
  const file = createWriteStream(log, { flags: 'a' });
  let running;

  const start = async () => {
    const child = spawn(bin, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    running = { child, exit: exitOf(child) };
    child.stdout.pipe(file, { end: false });
    child.stderr.pipe(file, { end: false });
    const deadline = Date.now() + START_LIMIT_MS;
    while (!(await accepts(port))) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`stanzad does not listen on port ${port}; see ${log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  const end = async (signal) => {
    running.child.kill(signal);
    const late = setTimeout(() => running.child.kill('SIGKILL'), STOP_LIMIT_MS);
    const code = await running.exit;
    clearTimeout(late);
    return code;
  };

  const stop = async () => {
    const code = await end('SIGTERM');
    file.end();
    rmSync(dir, { recursive: true, force: true });
    return code;
  };

  /** Ends the process, runs `meanwhile`, and starts the next one over what is left, on the same ports. */
  const restart = async (signal, meanwhile = async () => {}) => {
    const code = await end(signal);
    await meanwhile();
    await start();
    return code;
  };

  try {
    await start();
  } catch (failure) {
    await stop();
    throw failure;
  }

  const env = {
    STANZAD_WS: `ws://127.0.0.1:${port}/ws/`,
    STANZAD_BOSH: `http://127.0.0.1:${port}/http-bind/`,
    STANZAD_HTTP: `http://127.0.0.1:${port}`,
    STANZAD_ADMIN: `http://127.0.0.1:${adminPort}`,
    STANZAD_DOMAIN: DOMAIN,
    STANZAD_USERS: JSON.stringify(users),
    STANZAD_OUT: outDir,
  };
  return { env, stop, restart };
}
