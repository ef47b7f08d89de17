/** Checks the arguments of operations on a file. @module */

import { isBytes, ownBytes } from "../../bytes.ts";
import type { Checked } from "../../checked.ts";
import { describe, wholeNumber } from "../../options.ts";

/** Checks the arguments of an operation. `bytes` is a view of the memory passed in. */
export function checkOperation(
  verb: string,
  given: Uint8Array,
  offset: number,
  options: { readonly signal?: AbortSignal | undefined },
): { bytes: Checked<Uint8Array>; signal: AbortSignal | undefined } {
  if (!isBytes(given)) {
    throw new TypeError(`Cannot ${verb} ${describe(given)}: expected a Uint8Array`);
  }
  const { signal } = options;
  if (signal !== undefined && typeof signal?.addEventListener !== "function") {
    throw new TypeError(`Cannot ${verb}: signal must be an AbortSignal, not ${describe(signal)}`);
  }
  const bytes = ownBytes(given);
  wholeNumber(offset, "offset", verb);
  wholeNumber(offset + bytes.length, "offset + length", verb);
  return { bytes, signal };
}
