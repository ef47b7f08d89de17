/**
 * Reads 64 bytes at random offsets of a file, mapped and through the runtime, and opens a very long
 * file: `mapped_reads.ts FILE SPARSE`. Prints a {@linkcode MappedCost} as JSON.
 *
 * @module
 */

import { openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import process from "node:process";
import { MappedFile } from "../../src/mod.ts";

/** Costs: nanoseconds per read, milliseconds per opening. */
export interface MappedCost {
  /** Summed in place, {@linkcode BATCH} records at a time, after touching a word of each. */
  readonly inPlaceNs: number;
  /** Summed in place, one record after the other. */
  readonly singlyNs: number;
  /** Like `inPlaceNs`, after `advise("hugepage")`, if the file system has huge pages. */
  readonly hugeNs: number;
  /** Copied into an array, then summed. */
  readonly copiedNs: number;
  /** By the mapping's checked `read()`. */
  readonly checkedNs: number;
  readonly readSyncNs: number;
  readonly readPromiseNs: number;
  /** Opening, reading a page and closing: the first time, and the median. */
  readonly firstOpenMs: number;
  readonly openMs: number;
}

const RECORD = 64;
const WORDS = RECORD / 4;

/** Records in a batch. */
const BATCH = 64;

const [path, sparse] = process.argv.slice(2) as [string, string];

/** Yields the same offsets to all methods: a 32-bit generator (Numerical Recipes). */
function* places(count: number, records: number): Generator<number> {
  let state = 1;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield Math.floor(state / 2 ** 32 * records);
  }
}

function sum(words: Int32Array, from: number): number {
  let total = 0;
  for (let i = from; i < from + WORDS; i++) total = (total + words[i]!) | 0;
  return total;
}

/** Reads the given records and sums them. */
type ReadAll = (where: Uint32Array) => number;

/**
 * Returns the time per read of the fastest of five runs, all of which must give the same sum. Each
 * way has its own loop, as in C. A shared loop would call through a pointer.
 */
function timed(where: Uint32Array, readAll: ReadAll): [number, number] {
  let bestNs = Infinity;
  let total = 0;
  for (let round = 0; round < 5; round++) {
    const startMs = performance.now();
    total = readAll(where);
    bestNs = Math.min(bestNs, (performance.now() - startMs) * 1e6 / where.length);
  }
  return [bestNs, total];
}

/** Sums the records in place. */
function singlyOf(words: Int32Array): ReadAll {
  return (where) => {
    let total = 0;
    for (let i = 0; i < where.length; i++) total = (total + sum(words, where[i]! * WORDS)) | 0;
    return total;
  };
}

/**
 * Sums the records in place, and touches a batch of them first. The touching loop is short, so the
 * processor loads many records from memory at once. A loop that sums 16 words of each overlaps one
 * or two.
 */
function inPlaceOf(words: Int32Array): ReadAll {
  return (where) => {
    let total = 0;
    let touched = 0;
    for (let i = 0; i < where.length; i += BATCH) {
      const end = Math.min(i + BATCH, where.length);
      for (let at = i; at < end; at++) touched |= words[where[at]! * WORDS]!;
      for (let at = i; at < end; at++) total = (total + sum(words, where[at]! * WORDS)) | 0;
    }
    // A result that is used cannot be optimized away.
    return touched === 0 ? 0 : total;
  };
}

/** Reads everything once, into the page cache and the page table of this mapping. */
function warm(map: MappedFile): { bytes: Uint8Array<ArrayBuffer>; words: Int32Array } {
  const { bytes } = map;
  let touched = 0;
  for (let at = 0; at < bytes.length; at += 4096) touched += bytes[at]!;
  if (touched === 0) throw new Error("nothing but zeroes");
  return { bytes, words: new Int32Array(bytes.buffer, 0, bytes.length / 4) };
}

function openPage(file: string): number {
  const startMs = performance.now();
  const map = MappedFile.open(file);
  if (map.view(map.length / 2, 4096)[5] !== 0) throw new Error("not a hole");
  const ms = performance.now() - startMs;
  map.close();
  return ms;
}

const firstOpenMs = openPage(sparse);
const opens = Array.from({ length: 51 }, () => openPage(sparse)).sort((a, b) => a - b);

const map = MappedFile.open(path);
map.advise("random");
await map.prefetch();
const { bytes, words } = warm(map);

const records = bytes.length / RECORD;
const many = Uint32Array.from(places(400_000, records));
const some = many.slice(0, 50_000);
const few = many.slice(0, 3000);
const target = new Uint8Array(RECORD);
const copied = new Int32Array(target.buffer);
const fd = openSync(path, "r");

const inPlace = inPlaceOf(words);
const singly = singlyOf(words);
const copy: ReadAll = (where) => {
  let total = 0;
  for (let i = 0; i < where.length; i++) {
    const at = where[i]! * RECORD;
    target.set(bytes.subarray(at, at + RECORD));
    total = (total + sum(copied, 0)) | 0;
  }
  return total;
};
const checked: ReadAll = (where) => {
  let total = 0;
  for (let i = 0; i < where.length; i++) {
    map.readInto(target, where[i]! * RECORD);
    total = (total + sum(copied, 0)) | 0;
  }
  return total;
};
const plain: ReadAll = (where) => {
  let total = 0;
  for (let i = 0; i < where.length; i++) {
    readSync(fd, target, 0, RECORD, where[i]! * RECORD);
    total = (total + sum(copied, 0)) | 0;
  }
  return total;
};
const expected = timed(some, plain)[1];
for (const read of [inPlace, singly, copy, checked]) {
  if (timed(some, read)[1] !== expected) throw new Error("other bytes");
}

const handle = await open(path);
let promised = 0;
const startMs = performance.now();
for (const record of few) {
  await handle.read(target, 0, RECORD, record * RECORD);
  promised = (promised + sum(copied, 0)) | 0;
}
const readPromiseNs = (performance.now() - startMs) * 1e6 / few.length;
if (promised !== timed(few, inPlace)[1]) throw new Error("other bytes from the promises");
await handle.close();

const times = {
  inPlaceNs: timed(many, inPlace)[0],
  singlyNs: timed(many, singly)[0],
  copiedNs: timed(many, copy)[0],
  checkedNs: timed(some, checked)[0],
  readSyncNs: timed(some, plain)[0],
};

// Read again from the disk, as huge pages.
map.dropCache();
const large = MappedFile.open(path);
large.advise("hugepage");
const { words: largeWords } = warm(large);
const hugeNs = timed(many, inPlaceOf(largeWords))[0];

const cost: MappedCost = {
  ...times,
  hugeNs,
  readPromiseNs,
  firstOpenMs,
  openMs: opens[25]!,
};
console.log(JSON.stringify(cost));
process.exit(0);
