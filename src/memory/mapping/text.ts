/**
 * Text in a mapping. Each byte is read once, into a copy: the memory may change at any time, and
 * the runtimes' decoders read it twice.
 *
 * @module
 */

import { Cell } from "../../../ffi/libc/cell.ts";
import { builtin } from "../../builtins.ts";
import { isBytes, ownBytes } from "../../bytes.ts";
import { integer } from "../../sys/arguments.ts";
import { findIn } from "../../sys/raw/fixed.ts";
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
  readonly closed: boolean;
  read(offset: number, length: number): Uint8Array<ArrayBuffer>;
  readInto(target: Uint8Array, offset: number): number;
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
      // Throws if the memory was closed, although the next lines have been copied.
      if (memory.closed) memory.read(0, 0);
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
  const { length } = memory;
  if (needle.length === 0) return offset;
  // Steps overlap, so that a match across two steps lies whole within one.
  const step = Math.min(STEP + needle.length, length - offset);
  if (step < needle.length) return -1;
  // One copy for all steps: new memory for each would take more time than the search.
  const copy = new Cell(step);
  const search = fasterOf(searches(copy, needle));
  for (let at = offset; at + needle.length <= length; at += step - needle.length + 1) {
    const count = Math.min(step, length - at);
    memory.readInto(copy.bytes.subarray(0, count), at);
    const found = search(count);
    if (found >= 0) return at + found;
  }
  return -1;
}

/** Finds the needle in the first `count` bytes of a copy. */
type Search = (count: number) => number;

/** The runtime's own search, which is vectorized on some runtimes and JavaScript on others, and libc's. */
function searches(copy: Cell, needle: Uint8Array): [Search, Search] {
  const { Buffer } = builtin("buffer");
  const wanted = new Cell(needle.length);
  wanted.bytes.set(needle);
  return [
    (count) => Buffer.from(copy.bytes.buffer, 0, count).indexOf(needle),
    (count) => findIn(copy, count, wanted),
  ];
}

/** A search that measures two on the first steps, in turn, and goes on with the faster one. */
function fasterOf(ways: [Search, Search]): Search {
  const spent: [number, number] = [0, 0];
  let trials = 8;
  return (count) => {
    if (trials === 0) return ways[spent[0] <= spent[1] ? 0 : 1](count);
    const way = --trials % 2 as 0 | 1;
    const started = performance.now();
    const found = ways[way](count);
    spent[way] += performance.now() - started;
    return found;
  };
}
