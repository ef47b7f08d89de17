/** Finds names among the bytes of a head. @module */

import { latin1Bytes } from "./syntax.ts";

interface Known {
  readonly name: Uint8Array;
  readonly code: number;
}

/** Names, each with a number, that are found in any case and without creating a string. */
export class NameTable {
  /** Indexed by the length of the name. */
  readonly #byLength: readonly (readonly Known[] | undefined)[];
  readonly #longest: number;
  readonly #folds: boolean;

  /**
   * @param codes Names in lower case, with numbers other than 0.
   * @param folds Whether `_` in a head equals `-` here, as for many programs.
   */
  constructor(codes: Readonly<Record<string, number>>, folds = false) {
    const lists: Known[][] = [];
    for (const [name, code] of Object.entries(codes)) {
      (lists[name.length] ??= []).push({ name: latin1Bytes(name), code });
    }
    this.#byLength = lists;
    this.#longest = lists.length - 1;
    this.#folds = folds;
  }

  /** Number of the name between `start` and `end`; 0 for others. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    const candidates = length > this.#longest ? undefined : this.#byLength[length];
    if (candidates === undefined) return 0;
    for (let i = 0; i < candidates.length; i++) {
      const { code, name } = candidates[i]!;
      const same = this.#folds
        ? equalsFolded(bytes, start, name)
        : equalsIgnoringCase(bytes, start, name);
      if (same) return code;
    }
    return 0;
  }
}

/** Whether `bytes` contains `text` at `start`, ignoring case; `text` is in lower case. */
export function equalsIgnoringCase(bytes: Uint8Array, start: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) {
    if (lower(bytes[start + i]!) !== text[i]) return false;
  }
  return true;
}

/** The same, and `_` equals `-`. */
function equalsFolded(bytes: Uint8Array, start: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) {
    const byte = bytes[start + i]!;
    if ((byte === UNDERSCORE ? HYPHEN : lower(byte)) !== text[i]) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

const UNDERSCORE = 0x5f;
const HYPHEN = 0x2d;
