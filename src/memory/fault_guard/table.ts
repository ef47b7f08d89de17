/**
 * The rows of the fault guard's table: the watched ranges, and their faults.
 *
 * All threads of the process share the table. Each writes to rows that it has taken by an atomic
 * exchange. The handler may run in any thread while a row is being written. It accepts a row only
 * if its state was odd, and the same before and after it read the row.
 *
 * @module
 */

import { addressIn, lengthOf, type Region } from "../../sys/region.ts";

const HEADER = 64;
const ROW = 64;

// 32-bit words of a row.
const STATE = 0;
const MARKS = 1;
const DESCRIPTOR = 10;
const OWNED = 12;
// 64-bit words of a row.
const START = 1;
const END = 2;
const MASK = 3;
const FILE_OFFSET = 4;
// 32-bit word of the header.
const COUNT = 3;

/**
 * Maximum number of watched ranges: half of the mappings that a process may have by default
 * (`vm.max_map_count`), because a runtime that cannot map memory dies.
 */
export const MOST_ROWS = 32_768;

/** Length of the table in bytes; pages without rows take no memory. */
export const TABLE_LENGTH: number = HEADER + ROW * MOST_ROWS;

/** Mark: a page was missing because the file was truncated. */
export const PAST_END = 1;

/** Mark: a page within the file could not be read. */
export const WITHIN = 2;

/** Descriptor of a row whose file is not asked for its size: all later pages count as missing. */
export const NO_FILE = -1;

/** Descriptor of a row whose file has no size: pages go missing one at a time. */
export const NO_SIZE = -2;

/** A range to watch. */
export interface Watched {
  /** The mapped region; its length is a multiple of the page size. */
  readonly region: Region;
  readonly pageSize: number;
  readonly fileOffset: number;
  /** The file; keep it open while the row names it. */
  readonly fd: number;
}

/** One thread's view of the table. */
export class Table {
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #wide: BigInt64Array<ArrayBuffer>;
  /**
   * Where the search for a free row starts. Prefers low rows, because the handler scans all rows
   * below the highest one used.
   */
  #hint = 0;

  /** `buffer` shows the table, which is never unmapped. */
  constructor(buffer: ArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#wide = new BigInt64Array(buffer);
  }

  /** Sets the previous handler, which gets the faults of other ranges. */
  setPrevious(address: bigint, flags: number): void {
    Atomics.store(this.#words, 2, flags);
    Atomics.store(this.#wide, 0, address);
  }

  /** Starts to watch a range; `undefined` when all rows are in use. */
  watch(range: Watched): Row | undefined {
    for (let tries = 0; tries < MOST_ROWS; tries++) {
      const index = (this.#hint + tries) % MOST_ROWS;
      const at = (HEADER + index * ROW) / 4;
      if (Atomics.compareExchange(this.#words, at + OWNED, 0, 1) !== 0) continue;
      this.#hint = index + 1;
      this.#write(index, range);
      return new Row(this.#words, at, () => this.#hint = Math.min(this.#hint, index));
    }
    return undefined;
  }

  #write(index: number, { region, pageSize, fileOffset, fd }: Watched): void {
    const at = (HEADER + index * ROW) / 4;
    const length = lengthOf(region);
    const address = addressIn(region, 0, length);
    const wide = at / 2;
    Atomics.store(this.#words, at + MARKS, 0);
    Atomics.store(this.#wide, wide + START, address);
    Atomics.store(this.#wide, wide + END, address + BigInt(length));
    Atomics.store(this.#wide, wide + MASK, BigInt(-pageSize));
    Atomics.store(this.#wide, wide + FILE_OFFSET, BigInt(fileOffset));
    Atomics.store(this.#words, at + DESCRIPTOR, fd);
    Atomics.add(this.#words, at + STATE, 1);
    for (
      let count = Atomics.load(this.#words, COUNT);
      count <= index;
      count = Atomics.load(this.#words, COUNT)
    ) Atomics.compareExchange(this.#words, COUNT, count, index + 1);
  }
}

/** One watched range. */
export class Row {
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #at: number;

  readonly #released: () => void;

  constructor(words: Int32Array<ArrayBuffer>, at: number, released: () => void) {
    this.#words = words;
    this.#at = at;
    this.#released = released;
  }

  /** Faults so far: 0, or a combination of {@linkcode PAST_END} and {@linkcode WITHIN}. */
  get marks(): number {
    return Atomics.load(this.#words, this.#at + MARKS);
  }

  /** Tells the handler that the descriptor is about to be closed. The range stays watched. */
  forgetFile(): void {
    Atomics.store(this.#words, this.#at + DESCRIPTOR, NO_FILE);
  }

  /** Ends the watch. Unmap the range after this call, not before. */
  release(): void {
    Atomics.add(this.#words, this.#at + STATE, 1);
    Atomics.store(this.#words, this.#at + OWNED, 0);
    this.#released();
  }
}
