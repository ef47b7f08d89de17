/**
 * Arguments, examined before the system call.
 *
 * The backends do not agree on what they do with a wrong one: Bun clamps an integer that is out of
 * range, koffi passes an undefined value.
 *
 * @module
 */

import { isBytes } from "../bytes.ts";
import { ownList } from "../checked.ts";

/** Most bytes that Linux moves in one call: 2 GiB less one page of 4 KiB. */
export const MAX_COUNT = 0x7fff_f000;

/** Largest `int` of C. */
export const MAX_INT = 0x7fff_ffff;

/** Largest `unsigned` of C. */
export const MAX_UNSIGNED = 0xffff_ffff;

/** Returns `value` when it is an integer in `low..high`. */
export function integer(value: number, name: string, low: number, high: number): number {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot use ${describe(value)} as ${name}: expected a number`);
  }
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`Cannot use ${value} as ${name}: expected an integer in ${low}..${high}`);
  }
  return value;
}

/** Bytes of one transfer. */
export function countOf(count: number): number {
  return integer(count, "count", 0, MAX_COUNT);
}

/** A place in a file, or a size of one, in bytes. */
export function offsetOf(offset: number, name: string = "offset"): number {
  return integer(offset, name, 0, Number.MAX_SAFE_INTEGER);
}

/** A place in a file, or `null` for the file position. */
export function offsetOrNull(offset: number | null, name: string = "offset"): number | null {
  return offset === null ? null : offsetOf(offset, name);
}

/** Or-ed bits for an `int`, or one of its values. */
export function flagsOf(flags: number, name: string = "flags"): number {
  return integer(flags, name, 0, MAX_INT);
}

/** Or-ed bits for an `unsigned`, or one of its values. */
export function unsignedOf(value: number, name: string): number {
  return integer(value, name, 0, MAX_UNSIGNED);
}

/** Milliseconds to wait; -1 is for ever. */
export function timeoutOf(timeoutMs: number): number {
  return integer(timeoutMs, "timeoutMs", -1, MAX_INT);
}

/** Memory to read from or to write into. */
export function bytesOf(bytes: Uint8Array, name: string): Uint8Array {
  if (!isBytes(bytes)) {
    throw new TypeError(`Cannot use ${describe(bytes)} as ${name}: expected a Uint8Array`);
  }
  return bytes;
}

/** One piece of memory, or a list of them, which is copied. */
export function listOf(
  bytes: Uint8Array | readonly Uint8Array[],
  name: string,
): Uint8Array | readonly Uint8Array[] {
  if (!Array.isArray(bytes)) return bytesOf(bytes as Uint8Array, name);
  const list = ownList(bytes as readonly Uint8Array[]);
  for (const item of list) bytesOf(item, name);
  return list;
}

/** A path without NUL, at which C would cut it off. */
export function pathOf(path: string): string {
  if (typeof path !== "string" || path.includes("\0")) {
    throw new TypeError(
      `Cannot use ${describe(path)} as a path: expected a string without NUL characters`,
    );
  }
  return path;
}

/** Short text of any value, for a message. */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "an object";
  return String(value);
}
