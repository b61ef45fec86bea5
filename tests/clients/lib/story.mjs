// Tests that continue each other: once a step fails, the later ones say so instead of waiting in vain.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { outDir } from './settings.mjs';

/**
 * Returns a `test` whose steps share one story. `evidence`, if given, returns lines that help to understand a failure
 * (the frames, say); they are kept in a file named after the step.
 */
export function story(title, evidence = () => []) {
  let broken;
  return (name, step) =>
    test(name, async (t) => {
      if (broken) throw new Error(`not tried, because this failed before: ${broken}`);
      try {
        await step(t);
      } catch (failure) {
        broken = name;
        const file = path.join(outDir, `failed-${title}-${name}.log`);
        mkdirSync(outDir, { recursive: true });
        const lines = await Promise.resolve(evidence()).catch((error) => [`no evidence: ${error.stack}`]);
        writeFileSync(file, [String(failure?.stack), ...lines].join('\n'));
        t.diagnostic(`evidence: ${file}`);
        throw failure;
      }
    });
}

/** `count` numbered texts that no other test sends. */
export function numbered(label, first, count) {
  return Array.from({ length: count }, (_, i) => `${label} ${first + i}`);
}

/** About `kilobytes` KB of text that would show any normalisation, truncation or doubled escaping. */
export function longText(kilobytes) {
  const piece = 'A<b> & "c" ]]> é e\u0301 שלום 你好 👩‍👩‍👧 ';
  const size = Buffer.byteLength(piece);
  return `start ${piece.repeat(Math.ceil((kilobytes * 1024) / size))}end`;
}
