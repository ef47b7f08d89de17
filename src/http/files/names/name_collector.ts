/** Collects the names of a folder, and sorts them. @module */

import { compareNames } from "../../rules/listing.ts";
import { Bit, nameAt, type NameBytes, type NamedEntry, NameList, startOf } from "./name_list.ts";
import { CommonStart, comparePlain, isPlain, keyOf } from "./name_order.ts";

const encoder = new TextEncoder();
const FIRST_NAMES = 256;
const FIRST_BYTES = 16 * FIRST_NAMES;
/** Most bytes of a character of JavaScript in UTF-8. */
const MOST_PER_UNIT = 3;
/** Names that are sorted by insertion. */
const RUN = 8;
/** Names that are sorted or merged in a step: a multiple of the former. */
const STEP = 512;

type Comparison = (a: number, b: number) => number;

/** Names in the order in which the folder has them. */
export class NameCollector {
  #text: Uint8Array = new Uint8Array(FIRST_BYTES);
  #ends: Uint32Array = new Uint32Array(FIRST_NAMES);
  #kinds: Uint8Array = new Uint8Array(FIRST_NAMES);
  #count = 0;
  #used = 0;

  /** Adds a name by its bytes. */
  addBytes(bytes: Uint8Array, start: number, end: number, kind: NamedEntry["kind"]): void {
    const text = this.#room(end - start);
    for (let i = start, at = this.#used; i < end; i++, at++) text[at] = bytes[i]!;
    this.#end(end - start, kind, false);
  }

  /** Adds an entry. */
  add({ kind, link, name }: NamedEntry): void {
    const text = this.#room(MOST_PER_UNIT * name.length);
    this.#end(encoder.encodeInto(name, text.subarray(this.#used)).written, kind, link);
  }

  /** The names in the order of a listing. */
  sorted(): NameList {
    for (const steps = this.sort();;) {
      const { done, value } = steps.next();
      if (done) return value;
    }
  }

  /** Sorts in short steps. */
  *sort(): Generator<void, NameList> {
    const folders = this.#selected(Bit.FOLDER);
    const files = this.#selected(0);
    const order = new Uint32Array(this.#count);
    order.set(yield* this.#sort(folders));
    order.set(yield* this.#sort(files), folders.length);
    return this.#arranged(order, folders.length);
  }

  /** Makes room for a name of at most `most` bytes. */
  #room(most: number): Uint8Array {
    const wanted = this.#used + most;
    if (wanted > this.#text.length) {
      const longer = new Uint8Array(Math.max(wanted, 2 * this.#text.length));
      longer.set(this.#text);
      this.#text = longer;
    }
    if (this.#count === this.#ends.length) {
      const ends = new Uint32Array(2 * this.#count);
      const kinds = new Uint8Array(2 * this.#count);
      ends.set(this.#ends);
      kinds.set(this.#kinds);
      this.#ends = ends;
      this.#kinds = kinds;
    }
    return this.#text;
  }

  #end(length: number, kind: NamedEntry["kind"], link: boolean): void {
    const start = this.#used;
    this.#used += length;
    this.#ends[this.#count] = this.#used;
    this.#kinds[this.#count++] = (kind === "folder" ? Bit.FOLDER : 0) | (link ? Bit.LINK : 0) |
      (isPlain(this.#text, start, this.#used) ? Bit.PLAIN : 0);
  }

  /** Indexes of the entries whose bit `FOLDER` is this. */
  #selected(folder: number): Uint32Array {
    const found = new Uint32Array(this.#count);
    let count = 0;
    for (let i = 0; i < this.#count; i++) {
      if ((this.#kinds[i]! & Bit.FOLDER) === folder) found[count++] = i;
    }
    return found.slice(0, count);
  }

  /** Sorts indexes: short runs by insertion, then merged. */
  *#sort(order: Uint32Array): Generator<void, Uint32Array> {
    const compare = this.#comparison();
    const { length } = order;
    let from: Run = { order, keys: this.#keysOf(order) };
    let to: Run = { order: new Uint32Array(length), keys: new Float64Array(length) };
    for (let start = 0; start < length; start += RUN) {
      insert(from, start, Math.min(start + RUN, length), compare);
      if (start % STEP === 0) yield;
    }
    for (let run = RUN; run < length; run *= 2) {
      for (let start = 0; start < length; start += 2 * run) {
        const middle = Math.min(start + run, length);
        const merge = new Merge(from, to, start, middle, Math.min(middle + run, length));
        while (merge.step(compare)) yield;
      }
      [from, to] = [to, from];
    }
    return from.order;
  }

  /** Keys by which most comparisons need not look at the names; all equal if one is not plain. */
  #keysOf(order: Uint32Array): Float64Array {
    const text = this.#text;
    const ends = this.#ends;
    const keys = new Float64Array(order.length);
    const common = new CommonStart();
    for (let i = 0; i < order.length; i++) {
      const index = order[i]!;
      if ((this.#kinds[index]! & Bit.PLAIN) === 0) return keys;
      common.add(text, startOf(ends, index), ends[index]!);
    }
    const { length } = common;
    for (let i = 0; i < order.length; i++) {
      const index = order[i]!;
      keys[i] = keyOf(text, startOf(ends, index) + length, ends[index]!);
    }
    return keys;
  }

  #comparison(): Comparison {
    const names: NameBytes = { text: this.#text, ends: this.#ends, kinds: this.#kinds };
    const { ends, kinds, text } = names;
    const decoded: (string | undefined)[] = [];
    return (a, b) => {
      if ((kinds[a]! & kinds[b]! & Bit.PLAIN) !== 0) {
        return comparePlain(text, startOf(ends, a), ends[a]!, startOf(ends, b), ends[b]!);
      }
      return compareNames(decoded[a] ??= nameAt(names, a), decoded[b] ??= nameAt(names, b));
    };
  }

  #arranged(order: Uint32Array, folders: number): NameList {
    const text = new Uint8Array(this.#used);
    const ends = new Uint32Array(order.length);
    const kinds = new Uint8Array(order.length);
    let used = 0;
    let links = false;
    for (let i = 0; i < order.length; i++) {
      const index = order[i]!;
      for (let at = startOf(this.#ends, index); at < this.#ends[index]!; at++) {
        text[used++] = this.#text[at]!;
      }
      ends[i] = used;
      kinds[i] = this.#kinds[index]!;
      links ||= (kinds[i]! & Bit.LINK) !== 0;
    }
    return new NameList({ text, ends, kinds }, folders, links);
  }
}

/** Indexes of names, and their keys in the same order. */
interface Run {
  readonly order: Uint32Array;
  readonly keys: Float64Array;
}

/** Sorts the indexes between two bounds by insertion. */
function insert({ keys, order }: Run, start: number, end: number, compare: Comparison): void {
  for (let i = start + 1; i < end; i++) {
    const moved = order[i]!;
    const key = keys[i]!;
    let at = i;
    for (; at > start; at--) {
      const before = keys[at - 1]!;
      if (before < key || (before === key && compare(order[at - 1]!, moved) <= 0)) break;
      order[at] = order[at - 1]!;
      keys[at] = before;
    }
    order[at] = moved;
    keys[at] = key;
  }
}

/** Merges two neighboring runs into the same place of other arrays. */
class Merge {
  readonly #from: Run;
  readonly #to: Run;
  readonly #middle: number;
  readonly #end: number;
  #left: number;
  #right: number;
  #at: number;

  constructor(from: Run, to: Run, start: number, middle: number, end: number) {
    this.#from = from;
    this.#to = to;
    this.#middle = this.#right = middle;
    this.#end = end;
    this.#left = this.#at = start;
  }

  /** Does a part of it; returns whether there is more. */
  step(compare: Comparison): boolean {
    const { keys, order } = this.#from;
    const { keys: newKeys, order: newOrder } = this.#to;
    const middle = this.#middle;
    const end = this.#end;
    const until = Math.min(this.#at + STEP, end);
    let left = this.#left;
    let right = this.#right;
    for (let at = this.#at; at < until; at++) {
      let first = right === end;
      if (!first && left < middle) {
        const a = keys[left]!;
        const b = keys[right]!;
        first = a < b || (a === b && compare(order[left]!, order[right]!) <= 0);
      }
      const taken = first ? left++ : right++;
      newOrder[at] = order[taken]!;
      newKeys[at] = keys[taken]!;
    }
    this.#left = left;
    this.#right = right;
    this.#at = until;
    return until < end;
  }
}
