/** Parses durations in options. @module */

import { describe } from "../../../options.ts";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 365.25 * 86_400_000,
};

const TEXT = /^(\d+(?:\.\d+)?) *(ms|s|m|h|d|w|y|(?:second|minute|hour|day|week|year)s?)?$/i;

/** Most milliseconds, as in Express: one year. */
const MOST = 365 * 86_400_000;

/**
 * Converts a number, or text such as `"1d"` or `"2 hours"`, to milliseconds; at most a year.
 *
 * @throws {TypeError} When `value` is neither.
 * @throws {RangeError} When the number is negative.
 */
export function parseDuration(value: number | string, name: string): number {
  let milliseconds = NaN;
  if (typeof value === "number") milliseconds = value;
  if (typeof value === "string") {
    const [, number, unit = "ms"] = TEXT.exec(value.trim()) ?? [];
    const short = unit.toLowerCase() === "ms" ? "ms" : unit[0]!.toLowerCase();
    milliseconds = Number(number) * UNITS[short]!;
  }
  if (Number.isNaN(milliseconds)) {
    throw new TypeError(
      `Cannot use ${describe(value)} as ${name}: expected milliseconds, or text such as "1d"`,
    );
  }
  if (milliseconds < 0) {
    throw new RangeError(`Cannot use ${milliseconds} as ${name}: expected a number >= 0`);
  }
  return Math.min(milliseconds, MOST);
}
