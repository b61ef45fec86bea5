// SASL in the browser: SCRAM (RFC 5802, RFC 7677) by WebCrypto, and PLAIN where the link is private.

const HASHES = { 'SCRAM-SHA-512': 'SHA-512', 'SCRAM-SHA-256': 'SHA-256', 'SCRAM-SHA-1': 'SHA-1' };

// A server that asks for more rounds than this wants the tab to hang, not the password to be safe.
const MAX_ITERATIONS = 2_000_000;
const MIN_ITERATIONS = 4096; // RFC 7677 §4

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** What failed in a login, in the server's word (`condition`) and in ours. */
export class SaslError extends Error {
  constructor(condition, message) {
    super(message);
    this.condition = condition;
  }
}

/**
 * The strongest exchange that both sides can do: `{ mechanism, first, next(challenge), done(success) }`.
 *
 * All texts are base64. `privateLink` says that nobody can listen, which PLAIN needs. Throws a
 * SaslError that tells what to do when there is none.
 */
export function chooseMechanism(offered, username, password, privateLink) {
  const scram = Object.keys(HASHES).find((name) => offered.includes(name));
  if (scram && crypto.subtle) return new Scram(scram, username, password);
  if (offered.includes('PLAIN') && privateLink) return new Plain(username, password);
  if (scram) {
    throw new SaslError(
      'insecure-context',
      'This browser does cryptography only on https:// or on localhost. Open this page there.',
    );
  }
  throw new SaslError(
    'invalid-mechanism',
    `The server offers no login this page can use safely here (${offered.join(', ') || 'none'}).`,
  );
}

class Plain {
  mechanism = 'PLAIN';
  constructor(username, password) {
    this.first = toBase64(encoder.encode(`\0${username}\0${password}`));
  }
  async next() {
    throw new SaslError('malformed-request', 'The server sent a challenge, and PLAIN has none.');
  }
  async done() {}
}

class Scram {
  constructor(mechanism, username, password) {
    this.mechanism = mechanism;
    this.hash = HASHES[mechanism];
    this.password = prepare(password);
    this.nonce = toBase64(crypto.getRandomValues(new Uint8Array(18)));
    const name = prepare(username).replace(/=/g, '=3D').replace(/,/g, '=2C');
    this.firstBare = `n=${name},r=${this.nonce}`;
    // "n,,": a browser shows no channel binding to its pages.
    this.first = toBase64(encoder.encode(`n,,${this.firstBare}`));
  }

  /** Answers the server's first message with our proof (RFC 5802 §3). */
  async next(challenge) {
    const serverFirst = decoder.decode(fromBase64(challenge));
    const { r: nonce, s: salt, i, m } = attributes(serverFirst);
    const iterations = Number(i);
    if (m !== undefined)
      throw new SaslError('malformed-request', 'The server asks for a SCRAM extension that nobody knows.');
    if (!nonce?.startsWith(this.nonce) || nonce === this.nonce)
      throw new SaslError('malformed-request', 'The server did not continue our nonce.');
    if (!salt || !(iterations >= MIN_ITERATIONS && iterations <= MAX_ITERATIONS)) {
      throw new SaslError(
        'malformed-request',
        `The server asks for ${i} rounds; this page does ${MIN_ITERATIONS} to ${MAX_ITERATIONS}.`,
      );
    }
    const withoutProof = `c=biws,r=${nonce}`;
    const authMessage = encoder.encode(`${this.firstBare},${serverFirst},${withoutProof}`);
    const proof = await this.#proof(fromBase64(salt), iterations, authMessage);
    return toBase64(encoder.encode(`${withoutProof},p=${toBase64(proof)}`));
  }

  async #proof(salt, iterations, authMessage) {
    const salted = await pbkdf2(this.hash, this.password, salt, iterations);
    const clientKey = await hmac(this.hash, salted, encoder.encode('Client Key'));
    const storedKey = new Uint8Array(await crypto.subtle.digest(this.hash, clientKey));
    const serverKey = await hmac(this.hash, salted, encoder.encode('Server Key'));
    this.expected = toBase64(await hmac(this.hash, serverKey, authMessage));
    const signature = await hmac(this.hash, storedKey, authMessage);
    return clientKey.map((byte, index) => byte ^ signature[index]);
  }

  /** The server proves that it knows us too; without that, somebody else may be answering. */
  async done(success) {
    const { v } = attributes(success ? decoder.decode(fromBase64(success)) : '');
    if (!this.expected || v !== this.expected)
      throw new SaslError('server-unproven', 'The server could not prove that it knows this account.');
  }
}

// RFC 4013 as far as the platform carries it: spaces to SPACE, "mapped to nothing" removed, NFKC.
function prepare(text) {
  return text
    .replace(/[\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000]/g, ' ')
    .replace(/[\u00AD\u034F\u1806\u180B-\u180D\u200B-\u200D\u2060\uFE00-\uFE0F\uFEFF]/g, '')
    .normalize('NFKC');
}

function attributes(message) {
  return Object.fromEntries(message.split(',').map((part) => [part[0], part.slice(2)]));
}

async function pbkdf2(hash, password, salt, iterations) {
  const key = await crypto.subtle.importKey('raw', encoder.encode(password), 'PBKDF2', false, ['deriveBits']);
  const bits = { 'SHA-1': 160, 'SHA-256': 256, 'SHA-512': 512 }[hash];
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'PBKDF2', hash, salt, iterations }, key, bits));
}

async function hmac(hash, keyBytes, data) {
  const key = await crypto.subtle.importKey('raw', keyBytes, { name: 'HMAC', hash }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, data));
}

export function toBase64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
