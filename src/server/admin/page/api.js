// The routes below /v1, and the token that they may ask for.

const KEPT = 'stanzad-admin-token';
const PATIENCE_MS = 10_000;

/** What the server answers instead of what was asked for; `status` 0: it does not answer. */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The token of this tab, or null. It goes with the tab. */
export const token = {
  get: () => sessionStorage.getItem(KEPT),
  set: (text) => sessionStorage.setItem(KEPT, text),
  forget: () => sessionStorage.removeItem(KEPT),
};

/** Asks, and returns what is said in JSON. */
export async function ask(method, path, query = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  const headers = {};
  const secret = token.get();
  if (secret) headers.Authorization = `Bearer ${secret}`;
  let response;
  try {
    response = await fetch(url, { method, headers, cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch {
    throw new Problem(0, 'The server does not answer.');
  }
  const text = await response.text();
  const said = /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : null;
  if (!response.ok) throw new Problem(response.status, said?.detail ?? said?.title ?? `Status ${response.status}`);
  return said;
}
