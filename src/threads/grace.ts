/** How servers close: the grace period of open connections. @module */

import { wholeNumber } from "../options.ts";

/** Default grace period in milliseconds. */
const DEFAULT_MS = 10_000;

/** Maximum delay of a timer in milliseconds. */
const MOST_MS = 2 ** 31 - 1;

/** Options of a server's `close()`. */
export interface CloseOptions {
  /**
   * Milliseconds that open connections have to finish; then they are closed.
   *
   * @default {10000}
   */
  readonly graceMs?: number | undefined;
}

/**
 * Checks the options of `close()`, and returns the time in milliseconds.
 *
 * @throws {TypeError} When `graceMs` is not a number.
 * @throws {RangeError} When it is negative or not an integer.
 */
export function graceOf({ graceMs = DEFAULT_MS }: CloseOptions, action: string): number {
  return wholeNumber(graceMs, "graceMs", action);
}

/**
 * Calls `cut` after a delay unless `closing` settles first. Of several calls, the shortest delay
 * wins.
 */
export function cutAfter(graceMs: number, closing: Promise<void>, cut: () => void): void {
  if (graceMs === 0) return cut();
  const timer = setTimeout(cut, Math.min(graceMs, MOST_MS));
  closing.finally(() => clearTimeout(timer)).catch(() => {});
}
