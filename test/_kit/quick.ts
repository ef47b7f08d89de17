/** Time limits that also hold on a busy machine. @module */

import assert from "node:assert/strict";

/** Number of attempts before it counts as slow. */
const TRIES = 5;

/**
 * Repeats a measurement until it takes less than `limitMs` once. A busy machine delays anything now
 * and then, but code that waits too long does so every time.
 *
 * @param measure Runs the code, and returns the milliseconds that count. Its own assertions must
 * hold each time.
 */
export async function assertQuick(
  limitMs: number,
  measure: () => number | Promise<number>,
): Promise<void> {
  const took: number[] = [];
  while (took.length < TRIES) {
    took.push(await measure());
    if (took.at(-1)! < limitMs) return;
  }
  assert.fail(`took ${took.map(Math.round).join(", ")} ms, never less than ${limitMs}`);
}
