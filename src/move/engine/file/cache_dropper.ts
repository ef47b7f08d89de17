/** Copies a file without filling the page cache. @module */

import { FileAdvice, ReadFlag, SyncRangeFlag } from "../../../sys/flags/file.ts";
import { cachestat } from "../../../sys/raw/mod.ts";
import { resident } from "../../../page_cache/resident.ts";
import { runOffThread } from "./off_loop.ts";

const { WAIT_AFTER, WAIT_BEFORE, WRITE } = SyncRangeFlag;

/**
 * Drops pages that a sequential copy has read and written, one turn later: the disk writes one turn
 * while the next is copied.
 *
 * Pages that were cached before stay if the kernel can tell them apart (`RWF_DONTCACHE`, Linux
 * 6.14). Otherwise they are dropped too.
 */
export class CacheDropper {
  /** Flags for the reads of the copy; see `preadv2()`. */
  readFlags: number = ReadFlag.DONTCACHE;
  readonly #source: number;
  readonly #target: number;
  /** Whether no page was cached; then pages that the kernel read ahead are dropped too. */
  readonly #cold: boolean;
  readonly #start: number;
  #from: number;
  #to: number;
  #earlier = 0;

  /** Starts at an offset of each file; the copy has `length` bytes. */
  constructor(source: number, target: number, from: number, to: number, length: number) {
    this.#source = source;
    this.#target = target;
    this.#start = from;
    this.#from = from;
    this.#to = to;
    this.#cold = resident(source, from, 1) === 0 && nothingCached(source, from, length);
  }

  /** Stops using the flag, after `EOPNOTSUPP`. Returns whether it was in use. */
  simplify(): boolean {
    const used = this.readFlags !== 0;
    this.readFlags = 0;
    return used;
  }

  /** Starts to write the bytes just copied, and drops those copied before. */
  async wrote(count: number): Promise<void> {
    await runOffThread("syncFileRange", this.#target, this.#to, count, WRITE);
    if (this.readFlags === 0) {
      await runOffThread("posixFadvise", this.#source, this.#from, count, FileAdvice.DONTNEED);
    }
    await this.#drop();
    this.#from += count;
    this.#to += count;
    this.#earlier = count;
  }

  /** Drops the rest. Ignores failures, because the copy is complete. */
  async end(): Promise<void> {
    await this.#drop();
    this.#earlier = 0;
    if (!this.#cold) return;
    const { DONTNEED } = FileAdvice;
    await runOffThread(
      "posixFadvise",
      this.#source,
      this.#start,
      this.#from - this.#start,
      DONTNEED,
    );
  }

  async #drop(): Promise<void> {
    if (this.#earlier === 0) return;
    const start = this.#to - this.#earlier;
    const all = WAIT_BEFORE | WRITE | WAIT_AFTER;
    await runOffThread("syncFileRange", this.#target, start, this.#earlier, all);
    await runOffThread("posixFadvise", this.#target, start, this.#earlier, FileAdvice.DONTNEED);
  }
}

/** Whether the page cache has no page of the range; true if the kernel has no cachestat(2). */
function nothingCached(fd: number, offset: number, length: number): boolean {
  const counts = new BigUint64Array(5);
  return cachestat(fd, offset, length, counts) < 0 || counts[0] === 0n;
}
