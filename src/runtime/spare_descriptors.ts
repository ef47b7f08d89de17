/** Whether a runtime has the descriptors that it needs, where it ends the process for want of them. @module */

import { runtime } from "../../ffi/mod.ts";
import { builtin } from "../builtins.ts";

/**
 * Descriptors without which Deno panics, and Bun exits, when they start a Worker; Deno also at its first
 * listener to a signal. Some more are counted, because other threads open some meanwhile.
 */
const NEEDED = 12;

/** The errors of a process, and of a system, that have too many files open. */
const SHORTAGES: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE"]);

/**
 * The code of the shortage when too few descriptors are free for Deno or Bun to go on; `undefined` when
 * there are enough, and on Node.js, which reports that itself.
 */
export function descriptorShortage(): "EMFILE" | "ENFILE" | undefined {
  if (runtime().name === "node") return undefined;
  const { closeSync, openSync } = builtin("fs");
  const spare: number[] = [];
  try {
    while (spare.length < NEEDED) spare.push(openSync("/dev/null", "r"));
  } catch (error) {
    // A refusal for another reason says nothing about descriptors.
    const { code } = error as NodeJS.ErrnoException;
    if (SHORTAGES.has(code)) return code as "EMFILE" | "ENFILE";
  } finally {
    for (const fd of spare) closeSync(fd);
  }
  return undefined;
}
