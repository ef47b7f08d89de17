/** Finds text in a file of any size without reading it into memory. @module */

import type { MappedFile } from "../../src/mod.ts";

/** A line that contains the text. */
export interface Match {
  /** Offset of the text in the file, in bytes. */
  readonly offset: number;
  /** The line, cut to the length that the caller wants. */
  readonly line: string;
}

/** Bytes to search at once: one array may not cover a large file. */
const WINDOW = 1 << 28;
const NEWLINE = 10;

/**
 * Yields the lines that contain `text`, in order, each line once.
 *
 * @param map The file. `map.advise("sequential")` makes the system read ahead and drop used pages.
 * @param text Text to look for, compared byte by byte.
 * @param most Bytes of a line to show on either side of the text.
 */
export function* grep(map: MappedFile, text: string, most: number = 200): Generator<Match> {
  const needle = Buffer.from(text);
  if (needle.length === 0) throw new RangeError("Cannot look for nothing");
  let from = 0;
  while (from + needle.length <= map.length) {
    const length = Math.min(WINDOW, map.length - from);
    const { buffer, byteOffset } = map.view(from, length);
    // The same memory as a Buffer, because a Uint8Array cannot search for several bytes.
    const window = Buffer.from(buffer, byteOffset, length);
    let at = window.indexOf(needle);
    while (at >= 0) {
      const { line, end } = lineAround(map, from + at, needle.length, most);
      yield { offset: from + at, line };
      at = end <= from + at ? -1 : window.indexOf(needle, end - from);
    }
    // A match may begin in the last bytes of this window and end in the next one.
    from += from + length === map.length ? length : length - needle.length + 1;
  }
}

function lineAround(
  map: MappedFile,
  offset: number,
  length: number,
  most: number,
): { line: string; end: number } {
  const start = Math.max(0, offset - most);
  const stop = Math.min(map.length, offset + length + most);
  const around = map.view(start, stop - start);
  const first = around.subarray(0, offset - start).lastIndexOf(NEWLINE) + 1;
  const after = around.indexOf(NEWLINE, offset - start + length);
  const last = after < 0 ? around.length : after;
  return { line: new TextDecoder().decode(around.subarray(first, last)), end: start + last };
}
