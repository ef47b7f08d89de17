/**
 * Checks arguments before the system call. The backends disagree about wrong ones: Bun clamps an
 * integer that is out of range, koffi passes an undefined value.
 *
 * @module
 */

import { isBytes } from "../bytes.ts";
import { ownList } from "../checked.ts";

/** Maximum bytes that Linux moves in one call: 2 GiB minus one page of 4 KiB. */
export const MAX_COUNT = 0x7fff_f000;

/** Largest `int` of C. */
export const MAX_INT = 0x7fff_ffff;

/** Largest `unsigned` of C. */
export const MAX_UNSIGNED = 0xffff_ffff;

/** Returns `value` if it is an integer in `low..high`. */
export function integer(value: number, name: string, low: number, high: number): number {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot use ${describe(value)} as ${name}: expected a number`);
  }
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`Cannot use ${value} as ${name}: expected an integer in ${low}..${high}`);
  }
  return value;
}

/** Checks the byte count of one transfer. */
export function countOf(count: number): number {
  return integer(count, "count", 0, MAX_COUNT);
}

/** Checks an offset in a file, or a file size, in bytes. */
export function offsetOf(offset: number, name: string = "offset"): number {
  return integer(offset, name, 0, Number.MAX_SAFE_INTEGER);
}

/** Checks an offset in a file, or `null` for the file position. */
export function offsetOrNull(offset: number | null, name: string = "offset"): number | null {
  return offset === null ? null : offsetOf(offset, name);
}

/** Checks a set of bits for an `int`, or one of its values. */
export function flagsOf(flags: number, name: string = "flags"): number {
  return integer(flags, name, 0, MAX_INT);
}

/** Checks a set of bits for an `unsigned`, or one of its values. */
export function unsignedOf(value: number, name: string): number {
  return integer(value, name, 0, MAX_UNSIGNED);
}

/** Checks a time in milliseconds; -1 waits forever. */
export function timeoutOf(timeoutMs: number): number {
  return integer(timeoutMs, "timeoutMs", -1, MAX_INT);
}

/** Checks memory to read from or to write into. */
export function bytesOf(bytes: Uint8Array, name: string): Uint8Array {
  if (!isBytes(bytes)) {
    throw new TypeError(`Cannot use ${describe(bytes)} as ${name}: expected a Uint8Array`);
  }
  return bytes;
}

/** Copies a list of arrays, or wraps a single one. */
export function listOf(
  bytes: Uint8Array | readonly Uint8Array[],
  name: string,
): Uint8Array | readonly Uint8Array[] {
  if (!Array.isArray(bytes)) return bytesOf(bytes as Uint8Array, name);
  const list = ownList(bytes as readonly Uint8Array[]);
  for (const item of list) bytesOf(item, name);
  return list;
}

/** Checks a path. C would end it at a NUL. */
export function pathOf(path: string): string {
  if (typeof path !== "string" || path.includes("\0")) {
    throw new TypeError(
      `Cannot use ${describe(path)} as a path: expected a string without NUL characters`,
    );
  }
  return path;
}

/** Describes any value briefly, for a message. */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "an object";
  return String(value);
}
