/** Waits in clients that do not use an event loop. @module */

import * as raw from "../../src/sys/raw/mod.ts";

const POLLIN = 1;

/**
 * Sleeps until `performance.now()` is `dueMs`, or until the benchmark closes this process's stdin.
 *
 * @returns Whether to continue.
 */
export function sleepUntil(dueMs: number): boolean {
  const waitMs = Math.max(0, Math.ceil(dueMs - performance.now()));
  return raw.poll(0, POLLIN, waitMs) === 0;
}
