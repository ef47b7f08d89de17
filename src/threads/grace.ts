/** How servers close: the time that open connections have left. @module */

import { wholeNumber } from "../options.ts";

/** Time that open connections have, unless the program says otherwise, in milliseconds. */
const DEFAULT_MS = 10_000;

/** Longest time that a timer can run. */
const MOST_MS = 2 ** 31 - 1;

/** How a server closes. */
export interface CloseOptions {
  /**
   * Time that open connections have to end by themselves, in milliseconds; the others are cut.
   *
   * @default {10000}
   */
  readonly graceMs?: number | undefined;
}

/**
 * Checks the options of `close()`, and returns the time in milliseconds.
 *
 * @throws {TypeError} When `graceMs` is no number.
 * @throws {RangeError} When it is no whole number, or negative.
 */
export function graceOf({ graceMs = DEFAULT_MS }: CloseOptions, action: string): number {
  return wholeNumber(graceMs, "graceMs", action);
}

/** Calls `cut` after a time, unless `closing` settles before. Of several calls the first to end cuts. */
export function cutAfter(graceMs: number, closing: Promise<void>, cut: () => void): void {
  if (graceMs === 0) return cut();
  const timer = setTimeout(cut, Math.min(graceMs, MOST_MS));
  closing.finally(() => clearTimeout(timer)).catch(() => {});
}
