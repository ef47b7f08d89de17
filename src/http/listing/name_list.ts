/** The sorted names of a folder, in little memory. @module */

import type { NamedEntry } from "../files/folder_names.ts";

const encoder = new TextEncoder();
// A name may begin with U+FEFF.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Most bytes of a character of JavaScript in UTF-8. */
const MOST_PER_UNIT = 3;

const FOLDER = 1;
const LINK = 2;

/**
 * The entries of a folder in their order, as bytes: a folder of a million files takes some 25 MB, a
 * quarter of what as many objects take.
 */
export class NameList {
  /** Number of entries. */
  readonly length: number;
  /** Whether any entry is a link, whose target can change while the folder does not. */
  readonly links: boolean;
  /** Number of folders, which come first. */
  readonly #folders: number;
  readonly #text: Uint8Array;
  /** Where each name ends in the text. */
  readonly #ends: Uint32Array;
  /** Bits of each entry. */
  readonly #kinds: Uint8Array;

  /** Copies the entries, of which folders come first. */
  constructor(entries: readonly NamedEntry[]) {
    const units = entries.reduce((sum, { name }) => sum + name.length, 0);
    let text = new Uint8Array(units + MOST_PER_UNIT);
    this.length = entries.length;
    this.#ends = new Uint32Array(entries.length);
    this.#kinds = new Uint8Array(entries.length);
    let end = 0;
    let folders = 0;
    let links = false;
    for (const [index, { kind, link, name }] of entries.entries()) {
      const most = end + MOST_PER_UNIT * name.length;
      if (most > text.length) {
        const longer = new Uint8Array(Math.max(most, text.length + (text.length >> 1)));
        longer.set(text);
        text = longer;
      }
      end += encoder.encodeInto(name, text.subarray(end)).written;
      this.#ends[index] = end;
      if (kind === "folder") folders++;
      links ||= link;
      this.#kinds[index] = (kind === "folder" ? FOLDER : 0) | (link ? LINK : 0);
    }
    this.#text = text.slice(0, end);
    this.#folders = folders;
    this.links = links;
  }

  /** Bytes of memory. */
  get bytes(): number {
    return this.#text.length + this.#ends.byteLength + this.#kinds.length;
  }

  /** Returns the entries from `start` to `end`; in the reverse order, folders still come first. */
  slice(start: number, end: number, reverse = false): NamedEntry[] {
    const entries: NamedEntry[] = [];
    for (let place = start; place < Math.min(end, this.length); place++) {
      entries.push(this.#at(reverse ? this.#opposite(place) : place));
    }
    return entries;
  }

  #opposite(place: number): number {
    const folders = this.#folders;
    return place < folders ? folders - 1 - place : this.length - 1 - (place - folders);
  }

  #at(index: number): NamedEntry {
    const kinds = this.#kinds[index]!;
    const start = index === 0 ? 0 : this.#ends[index - 1]!;
    return {
      name: decoder.decode(this.#text.subarray(start, this.#ends[index])),
      kind: (kinds & FOLDER) !== 0 ? "folder" : "file",
      link: (kinds & LINK) !== 0,
    };
  }
}
