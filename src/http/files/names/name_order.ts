/** The order of names in a listing, from their bytes. @module */

import { compareNames } from "../../rules/listing.ts";

/** Visible ASCII and the space, of which almost all names consist. */
const FIRST = 0x20;
const LAST = 0x7e;
const ZERO = 0x30;
const NINE = 0x39;
const UPPER = 0x41;
const LAST_UPPER = 0x5a;

/** Digits that the order of the runtime takes for one number, at least. */
const MOST_DIGITS = 200;

let made: Uint8Array | undefined;

/** Place of each plain byte, in which upper and lower case are equal. */
function placesOfBytes(): Uint8Array {
  return made ??= makePlaces();
}

function makePlaces(): Uint8Array {
  const all = Array.from({ length: LAST - FIRST + 1 }, (_, i) => String.fromCharCode(FIRST + i));
  const sorted = all.map((character) => character.toLowerCase()).sort(compareNames);
  const table = new Uint8Array(256);
  let place = 0;
  for (const [i, character] of sorted.entries()) {
    if (i > 0 && character !== sorted[i - 1]) place++;
    table[character.charCodeAt(0)] = place;
    table[character.toUpperCase().charCodeAt(0)] = place;
  }
  return table;
}

/** Whether {@linkcode comparePlain} knows the order of a name. */
export function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > MOST_DIGITS) return false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < FIRST || byte > LAST) return false;
  }
  return true;
}

/**
 * Compares two plain names like `compareNames`, without creating strings: first by their characters,
 * digits as numbers, then by case, then by their bytes.
 */
export function comparePlain(
  bytes: Uint8Array,
  a: number,
  endA: number,
  b: number,
  endB: number,
): number {
  const places = placesOfBytes();
  let byCase = 0;
  let i = a;
  let j = b;
  while (i < endA && j < endB) {
    const x = bytes[i]!;
    const y = bytes[j]!;
    if (isDigit(x) && isDigit(y)) {
      while (i < endA && bytes[i] === ZERO) i++;
      while (j < endB && bytes[j] === ZERO) j++;
      let difference = 0;
      // Of two numbers of the same length, the first different digit decides.
      for (;; i++, j++) {
        const moreA = i < endA && isDigit(bytes[i]!);
        const moreB = j < endB && isDigit(bytes[j]!);
        if (!moreA || !moreB) {
          if (moreA !== moreB) return moreA ? 1 : -1;
          break;
        }
        difference ||= bytes[i]! - bytes[j]!;
      }
      if (difference !== 0) return difference;
      continue;
    }
    const difference = places[x]! - places[y]!;
    if (difference !== 0) return difference;
    if (x !== y) byCase ||= isUpper(x) ? 1 : -1;
    i++;
    j++;
  }
  if (i < endA || j < endB) return i < endA ? 1 : -1;
  return byCase || compareBytes(bytes, a, endA, b, endB);
}

function compareBytes(
  bytes: Uint8Array,
  a: number,
  endA: number,
  b: number,
  endB: number,
): number {
  for (let i = a, j = b; i < endA && j < endB; i++, j++) {
    if (bytes[i] !== bytes[j]) return bytes[i]! - bytes[j]!;
  }
  return (endA - a) - (endB - b);
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function isUpper(byte: number): boolean {
  return byte >= UPPER && byte <= LAST_UPPER;
}

/** Bits of the first character of a key, and those of each further one. */
const PLACE_BITS = 7;
/** Characters of a key. */
const KEY_PLACES = 7;
/** Values of all characters of a key but the first. */
const REST = 2 ** (PLACE_BITS * (KEY_PLACES - 1));

/** Number of equal bytes with which all plain names begin; not within a number. */
export class CommonStart {
  #bytes: Uint8Array | undefined;
  #length = 0;

  /** Takes one name into account. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const common = this.#bytes;
    if (common === undefined) {
      this.#bytes = bytes.slice(start, end);
      this.#length = end - start;
      return;
    }
    let same = 0;
    while (same < this.#length && start + same < end && bytes[start + same] === common[same]) {
      same++;
    }
    this.#length = same;
  }

  /** The number, once all names have been added. */
  get length(): number {
    let length = this.#length;
    while (length > 0 && isDigit(this.#bytes![length - 1]!)) length--;
    return length;
  }
}

/**
 * A number for what follows the common start of plain names: a smaller one means a smaller name, and
 * equal ones leave it to {@linkcode comparePlain}.
 */
export function keyOf(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return 0;
  const places = placesOfBytes();
  if (isDigit(bytes[start]!)) {
    let value = 0;
    for (let at = start; at < end && isDigit(bytes[at]!); at++) {
      value = Math.min(value * 10 + bytes[at]! - ZERO, REST - 1);
    }
    return (places[ZERO]! + 1) * REST + value;
  }
  let key = 0;
  let at = start;
  for (let place = 0; place < KEY_PLACES; place++) {
    const byte = at < end ? bytes[at]! : 0;
    // What follows a number depends on its value.
    const digit = isDigit(byte);
    key = key * 2 ** PLACE_BITS + (at < end ? places[digit ? ZERO : byte]! + 1 : 0);
    at = digit ? end : at + 1;
  }
  return key;
}
