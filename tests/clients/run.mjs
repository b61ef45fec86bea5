// Runs the client tests, or with --acks the ack measurement, or with --promise cuts by the dozen, against a stanzad of its own (STANZAD_BIN) or a running server.
//
//   node run.mjs [test files]      STANZAD_BIN, or STANZAD_WS and the other variables of README.md
//   node run.mjs --acks            STANZAD_BIN
//   node run.mjs --promise [--cuts N]   STANZAD_BIN
//
// The last line is "N passed, N failed"; the exit code is 0 only if something passed and nothing failed.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer } from './lib/server.mjs';

const RUN_LIMIT_MS = 15 * 60_000;
const here = path.dirname(fileURLToPath(import.meta.url));
const outDir = process.env.STANZAD_OUT || path.join(here, '..', 'out');
const bin = process.env.STANZAD_BIN;

/** Runs node with `args` here and returns what it printed; it is shown meanwhile. */
function node(args, env) {
  return new Promise((resolve, reject) => {
    const options = { cwd: here, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'], timeout: RUN_LIMIT_MS };
    const child = spawn(process.execPath, args, options);
    let printed = '';
    child.stdout.on('data', (bytes) => {
      printed += bytes;
      process.stdout.write(bytes);
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, printed }));
  });
}

async function runTests(files) {
  const server = bin ? await startServer(path.resolve(bin), [], outDir) : { env: {}, stop: async () => 0 };
  let ended;
  try {
    const args = ['--test', '--test-concurrency=1', '--test-force-exit', '--test-reporter=spec', ...files];
    ended = await node(args, server.env);
  } finally {
    const code = await server.stop();
    if (code !== 0) console.log(`the server ended with ${code}`);
    if (ended && code !== 0) ended.code = 1;
  }
  const count = (what) => Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(ended.printed)?.[1] ?? 0);
  const [passed, failed] = [count('pass'), count('fail') + count('cancelled')];
  console.log(`${passed} passed, ${failed} failed`);
  return passed > 0 && failed === 0 && ended.code === 0 ? 0 : 1;
}

async function measureAcks() {
  for (const frequency of [0, 4]) {
    const server = await startServer(path.resolve(bin), [`sm.unsolicited_ack_frequency=${frequency}`], outDir);
    try {
      console.log(`sm.unsolicited_ack_frequency = ${frequency}`);
      const { code } = await node(['acks.mjs'], server.env);
      if (code !== 0) return 1;
    } finally {
      await server.stop();
    }
  }
  return 0;
}

/** Many cuts, and a table of what came of them. */
async function keepPromise(args) {
  const server = await startServer(path.resolve(bin), [], outDir);
  let ended;
  try {
    ended = await node(['promise.mjs', ...args], server.env);
  } finally {
    const code = await server.stop();
    if (code !== 0) console.log(`the server ended with ${code}`);
    if (ended && code !== 0) ended.code = 1;
  }
  return ended.code === 0 ? 0 : 1;
}

const args = process.argv.slice(2);
if (!bin && (args.includes('--acks') || args.includes('--promise') || !process.env.STANZAD_WS)) {
  console.error('STANZAD_BIN is not set; see tests/clients/README.md');
  process.exit(2);
}
if (args.includes('--promise')) {
  process.exit(await keepPromise(args.filter((arg) => arg !== '--promise')));
}
const files = args.length ? args : readdirSync(here).filter((name) => name.endsWith('.test.mjs')).sort();
process.exitCode = await (args.includes('--acks') ? measureAcks() : runTests(files));
