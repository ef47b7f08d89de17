/** Computes medians, spreads and ratios. @module */

/** Summary of a series. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Summarizes a series of at least one value. */
export function summarize(values: readonly number[]): Summary {
  return { median: percentile(values, 0.5), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * Returns the value below which `share` (0 to 1) of the series lies, by the nearest rank; for the
 * median of an even series, the lower one.
 */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError("Cannot rank an empty series");
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

/**
 * Divides `a` by `b`, round by round.
 *
 * The rounds are interleaved, so a slow phase of the machine affects both and cancels out.
 */
export function ratios(a: readonly number[], b: readonly number[]): Summary {
  return summarize(a.map((value, round) => value / b[round]!));
}
