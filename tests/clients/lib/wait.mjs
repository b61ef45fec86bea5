// Waiting on conditions: no test sleeps for a fixed time and hopes.

import { patience_ms } from './settings.mjs';

const POLL_MS = 25;

/** Polls `probe` until it returns something truthy, and returns that; fails with `what` when patience ends. */
export async function until(what, probe, within_ms = patience_ms) {
  const deadline = Date.now() + within_ms;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`gave up after ${within_ms} ms waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Settles as `promise` does, or fails with `what` when patience ends. */
export async function within(what, promise, limit_ms = patience_ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`gave up after ${limit_ms} ms waiting for ${what}`)), limit_ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
