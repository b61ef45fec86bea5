// From counters to rates, and from a histogram to quantiles. Nothing here knows of the page.

/** How much a counter grew in each second between two answers; null: it cannot be told. */
export function rate(before, after, seconds) {
  if (before === undefined || before === null || after === undefined || after === null) return null;
  // A counter that shrank is one of another process.
  return seconds > 0 && after >= before ? (after - before) / seconds : null;
}

/** What lies between two answers of one histogram; null: nothing, or another process. */
export function between(before, after) {
  if (!before || !after || before.counts.length !== after.counts.length) return null;
  const counts = after.counts.map((count, bucket) => count - before.counts[bucket]);
  return counts.some((count) => count < 0) || !counts.some(Boolean) ? null : { bounds: after.bounds, counts };
}

/**
 * The value that this part of all observations does not exceed, taken as even within its bucket. Above
 * the last bound it is that bound: more is not known.
 */
export function quantile(histogram, part) {
  if (!histogram) return null;
  const { bounds, counts } = histogram;
  const wanted = part * counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [bucket, count] of counts.entries()) {
    if (count > 0 && seen + count >= wanted) {
      const low = bounds[bucket - 1] ?? 0;
      const high = bounds[bucket] ?? low;
      return low + ((high - low) * (wanted - seen)) / count;
    }
    seen += count;
  }
  return null;
}

/** 712 B, 1.4 KiB, 512 MiB: as the options write sizes. */
export function size(bytes) {
  const power = Math.min(3, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} ${['B', 'KiB', 'MiB', 'GiB'][power]}`;
}

/** 1, 2 or 5 times a power of ten, not below `value`: where an axis ends. */
export function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((end) => end >= value * (1 - 1e-9));
}
