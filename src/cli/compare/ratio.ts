/**
 * How many times the cost of another method one method has, and how sure that is. The interval is
 * that of the rank test of Wilcoxon, Mann and Whitney: it assumes no distribution, and from seven
 * rounds on, a single disturbed one hides no clear difference. With few rounds, it reaches from the smallest value over the
 * largest of the other to the opposite, so two methods differ if their spreads do not overlap.
 *
 * @module
 */

import { summarize } from "./summary.ts";
import type { Ratio } from "./types.ts";

/**
 * Fewest rounds for advice. Spreads of equal methods lie apart by chance in one of 3 comparisons
 * with two rounds, in one of 10 with three.
 */
export const FEWEST_ROUNDS = 3;

/** The wanted confidence. Three rounds reach 0.9. */
const WANTED = 0.95;
/** Rounds up to which the distribution is counted; larger counts are close to a normal one. */
const COUNTED = 20;
/** Quantile of the normal distribution that leaves 2.5 % above. */
const QUANTILE = 1.96;

/** What the number of rounds allows. */
export interface Certainty {
  /** From 0 to 1. */
  readonly confidence: number;
  /** Number of ratios to leave out at each end of the sorted ratios of all pairs of rounds. */
  readonly cut: number;
}

/** Returns what `rounds` of each method allow; `null` if they are too few. */
export function certainty(rounds: number): Certainty | null {
  if (rounds < FEWEST_ROUNDS) return null;
  if (rounds > COUNTED) {
    const pairs = rounds ** 2;
    const spread = QUANTILE * Math.sqrt((pairs * (2 * rounds + 1)) / 12);
    return { confidence: WANTED, cut: Math.floor(pairs / 2 - spread) };
  }
  const ways = rankings(rounds);
  const all = ways.reduce((sum, each) => sum + each, 0);
  let cut = 0;
  let below = ways[0]!;
  while (1 - (2 * (below + ways[cut + 1]!)) / all >= WANTED) below += ways[++cut]!;
  return { confidence: 1 - (2 * below) / all, cut };
}

/** Compares the costs of two methods in all rounds. */
export function compareCosts(
  costs: readonly number[],
  others: readonly number[],
  { cut }: Certainty,
): Ratio {
  const ratios = new Float64Array(costs.length * others.length);
  let index = 0;
  for (const cost of costs) for (const other of others) ratios[index++] = over(cost, other);
  ratios.sort();
  const ratio = over(summarize(costs).median, summarize(others).median);
  const low = Math.min(ratio, ratios[cut]!);
  const high = Math.max(ratio, ratios[ratios.length - 1 - cut]!);
  return { ratio, low, high, shown: high < 1 || low > 1 };
}

/** A reflink can cost less than the clock shows. */
function over(cost: number, other: number): number {
  return Math.max(cost, 1e-9) / Math.max(other, 1e-9);
}

/**
 * Returns the number of orders of 2 x `n` values in which exactly `u` pairs are in the wrong order,
 * for each `u`: the coefficients of a Gaussian binomial.
 */
function rankings(n: number): number[] {
  const ways: number[] = new Array(n * n + 1).fill(0);
  ways[0] = 1;
  for (let i = 1; i <= n; i++) {
    // Multiplies by 1 - q^(n + i), then divides by 1 - q^i.
    for (let u = n * n; u >= n + i; u--) ways[u]! -= ways[u - n - i]!;
    for (let u = i; u <= n * n; u++) ways[u]! += ways[u - i]!;
  }
  return ways;
}
