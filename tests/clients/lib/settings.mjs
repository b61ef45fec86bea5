// Where the server is and who may log in, from the environment (README.md lists the variables).

import { fileURLToPath } from 'node:url';

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; see tests/clients/README.md`);
  return value;
}

export const domain = required('STANZAD_DOMAIN');
export const wsUrl = required('STANZAD_WS');
export const boshUrl = required('STANZAD_BOSH');
export const httpUrl = required('STANZAD_HTTP').replace(/\/$/, '');
export const outDir = process.env.STANZAD_OUT || fileURLToPath(new URL('../../out', import.meta.url));
export const chromium = process.env.STANZAD_CHROMIUM || '/usr/bin/chromium';

/** host:port of the server, as the cutting proxy wants it. */
export const serverHost = new URL(wsUrl).host;

/** One millisecond budget for every wait: generous, because a wait that succeeds costs nothing. */
export const patience_ms = Number(process.env.STANZAD_PATIENCE_MS || 30_000);

const users = JSON.parse(required('STANZAD_USERS'));
if (users.length < 4) throw new Error('STANZAD_USERS needs at least four accounts');

/** Account number `n`, counted round: with four accounts and files run one by one, nobody collides. */
export function account(n) {
  const { jid, password } = users[n % users.length];
  return { jid, password, local: jid.split('@')[0] };
}
