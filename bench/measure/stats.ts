/** Medians, spreads and ratios. @module */

/** A series, as it is reported. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Sums up a series of at least one value. */
export function summarize(values: readonly number[]): Summary {
  return { median: percentile(values, 0.5), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * The value below which `share` (0 to 1) of the series lies, by the nearest rank; of an even series
 * the lower median.
 */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError("Cannot rank an empty series");
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

/**
 * Round by round, `a` divided by `b`.
 *
 * The rounds are interleaved, so whatever slows the machine down for a while slows down both, and
 * falls out of the quotient.
 */
export function ratios(a: readonly number[], b: readonly number[]): Summary {
  return summarize(a.map((value, round) => value / b[round]!));
}
