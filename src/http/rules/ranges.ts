/** Parses Range headers: RFC 9110, section 14. @module */

import { trimBlanks } from "./blanks.ts";
import type { FilePart } from "./types.ts";

/** One range: `first-last`, `first-` or `-suffix`. Empty elements are allowed. */
const RANGE = /[ \t]*(?:(\d*)-(\d*)[ \t]*)?(?:,|$)/y;

/** Most elements of a header, including empty ones: a header of 16 KiB can hold thousands. */
const MOST_ELEMENTS = 256;

/** No range can be satisfied: status 416. */
export const UNSATISFIABLE: readonly FilePart[] = Object.freeze([]);

/**
 * Parses the value of a Range header.
 *
 * Returns the parts in the requested order, cut to the file. RFC 9110, 14.2 permits a server to
 * ignore the header and send the whole file. This happens if the header is malformed or uses
 * another unit, asks for more than `most` ranges, has too many empty elements, or if its ranges add
 * up to more bytes than the file has, as in an attack. Takes one pass over the header.
 *
 * @param value The header, such as `bytes=0-99,-1`.
 * @param size Bytes of the file.
 * @param most Most ranges to grant.
 * @returns The parts; {@linkcode UNSATISFIABLE} if no range selects a byte of the file; `null` to
 * ignore the header.
 */
export function parseRanges(value: string, size: number, most: number): readonly FilePart[] | null {
  const text = trimBlanks(value);
  // An empty file has no first byte that Content-Range could name.
  if (size === 0 || !/^bytes=/i.test(text)) return null;
  const parts: FilePart[] = [];
  let count = 0;
  let sum = 0;
  let elements = 0;
  for (RANGE.lastIndex = "bytes=".length; RANGE.lastIndex < text.length;) {
    const match = RANGE.exec(text);
    if (match === null || (++elements > MOST_ELEMENTS && elements > 2 * most)) return null;
    const [, first, last] = match;
    if (first === undefined) continue;
    if (++count > most) return null;
    const part = resolve(first, last!, size);
    if (part === null) return null;
    if (part.length === 0) continue;
    sum += part.length;
    if (sum > size) return null;
    parts.push(part);
  }
  if (count === 0) return null;
  return parts.length === 0 ? UNSATISFIABLE : parts;
}

const NOTHING: FilePart = Object.freeze({ start: 0, length: 0 });

/** Resolves one range; a part of length 0 if it selects nothing, `null` if it is malformed. */
function resolve(first: string, last: string, size: number): FilePart | null {
  // Numbers beyond 2^53 are inexact, but still larger than any file.
  if (first === "") {
    if (last === "") return null;
    const length = Math.min(Number(last), size);
    return { start: size - length, length };
  }
  const start = Number(first);
  if (last !== "" && isLess(last, first)) return null;
  if (start >= size) return NOTHING;
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return { start, length: end - start + 1 };
}

/** Compares numbers given as digits of any length. */
function isLess(a: string, b: string): boolean {
  if (a.length < 16 && b.length < 16) return Number(a) < Number(b);
  const [x, y] = [a, b].map((digits) => digits.replace(/^0+(?=\d)/, "")) as [string, string];
  return x.length === y.length ? x < y : x.length < y.length;
}
