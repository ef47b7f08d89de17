/**
 * Text in a mapping. Each byte is read once, into a copy: the memory may change at any time, and
 * the runtimes' decoders read it twice.
 *
 * @module
 */

import { isBytes, ownBytes } from "../../bytes.ts";
import { builtin } from "../../builtins.ts";
import { integer } from "../../sys/arguments.ts";
import { describe } from "../../options.ts";

/** An encoding label for `TextDecoder`. */
export type TextEncodingName = "utf-8" | "utf-16le" | "latin1" | (string & NonNullable<unknown>);

/** What `indexOf()` can search for. */
export type Needle = Uint8Array | string | number;

/** Bytes copied at a time. */
const STEP = 64 * 1024;

/** A source of copies. */
interface Readable {
  readonly length: number;
  read(offset: number, length: number): Uint8Array<ArrayBuffer>;
}

/** Splits a checked range into lines. */
export function* textLines(
  memory: Readable,
  offset: number,
  length: number,
  decoder: TextDecoder,
): Generator<string, undefined, undefined> {
  const end = offset + length;
  // Pieces of the current, incomplete line, which may be as long as the file.
  let pieces: string[] = [];
  for (let at = offset; at < end;) {
    const count = Math.min(STEP, end - at);
    const bytes = memory.read(at, count);
    at += count;
    const text = decoder.decode(bytes, { stream: at < end });
    let from = 0;
    for (let stop = text.indexOf("\n"); stop >= 0; stop = text.indexOf("\n", from)) {
      pieces.push(text.slice(from, stop));
      const line = pieces.join("");
      pieces = [];
      from = stop + 1;
      yield line.endsWith("\r") ? line.slice(0, -1) : line;
    }
    pieces.push(text.slice(from));
  }
  const rest = pieces.join("");
  if (rest !== "") yield rest;
}

/** Converts a needle to bytes in memory of the library. */
export function needleOf(needle: Needle): Uint8Array {
  if (typeof needle === "string") return new TextEncoder().encode(needle);
  if (typeof needle === "number") return Uint8Array.of(integer(needle, "needle", 0, 255));
  if (isBytes(needle)) return ownBytes(needle).slice();
  throw new TypeError(
    `Cannot search for ${describe(needle)}: expected a Uint8Array, a string or a byte`,
  );
}

/** Finds bytes at or after a checked offset. */
export function find(memory: Readable, needle: Uint8Array, offset: number): number {
  const { Buffer } = builtin("buffer");
  // Steps overlap, so that a match across two steps lies whole within one.
  const step = STEP + needle.length;
  const { length } = memory;
  if (needle.length === 0) return offset;
  for (let at = offset; at + needle.length <= length; at += step - needle.length + 1) {
    const bytes = memory.read(at, Math.min(step, length - at));
    const found = Buffer.from(bytes.buffer).indexOf(needle);
    if (found >= 0) return at + found;
  }
  return -1;
}
