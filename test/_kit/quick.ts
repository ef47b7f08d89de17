/** Limits of time that hold on a busy machine, too. @module */

import assert from "node:assert/strict";

/** How often something is done before it counts as slow. */
const TRIES = 5;

/**
 * Does something until it takes less than `limitMs` once: a machine with its hands full makes
 * anything take long now and then, but what waits for too much does so every time.
 *
 * @param measure Does it, and returns the milliseconds that count. Its own assertions hold each time.
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
