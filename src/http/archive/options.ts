/** The option for archives of folders. @module */

import { checkObject, describe } from "../../options.ts";
import type { ArchiveConfig } from "./types.ts";

/** Options for archives of folders. */
export interface ArchiveOptions {
  /**
   * Most files and folders in an archive, an integer in 1..1000000; a larger folder gets 403.
   *
   * @default {50000}
   */
  maxEntries?: number | undefined;
  /** Most bytes of its files together, an integer >= 1, or `Infinity`. @default {Infinity} */
  maxBytes?: number | undefined;
}

const ACTION = "serve files";
const MOST_ENTRIES = 1_000_000;

/** Checks the option `archives`; `null` if there are none. */
export function archivesOf(value: boolean | ArchiveOptions): ArchiveConfig | null {
  if (value === false) return null;
  const options = value === true ? {} : value;
  checkObject(options, ACTION);
  const { maxBytes = Infinity, maxEntries = 50_000 } = options;
  check(maxEntries, "maxEntries", MOST_ENTRIES);
  if (maxBytes !== Infinity) check(maxBytes, "maxBytes", Number.MAX_SAFE_INTEGER);
  return { maxBytes, maxEntries };
}

function check(value: number, name: string, most: number): void {
  if (typeof value !== "number") {
    throw new TypeError(
      `Cannot ${ACTION}: archives.${name} must be a number, not ${describe(value)}`,
    );
  }
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return;
  throw new RangeError(
    `Cannot ${ACTION}: archives.${name} is ${value}, but must be an integer in 1..${most}`,
  );
}
