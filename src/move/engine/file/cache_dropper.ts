/** Copying a file without filling the page cache with it. @module */

import { FileAdvice, ReadFlag, SyncRangeFlag } from "../../../sys/flags/file.ts";
import { resident } from "../../../page_cache/prefetch.ts";
import { runOffThread } from "./off_loop.ts";

const { WAIT_AFTER, WAIT_BEFORE, WRITE } = SyncRangeFlag;

/**
 * Drops what a sequential copy has read and written, a turn behind: the disk writes one turn while
 * the next is copied.
 *
 * What was in the page cache before is left there where the kernel can tell (`RWF_DONTCACHE`, Linux
 * 6.14), and dropped with the rest where it cannot.
 */
export class CacheDropper {
  /** For the reads of the copy; see `preadv2()`. */
  readFlags: number = ReadFlag.DONTCACHE;
  readonly #source: number;
  readonly #target: number;
  /** Whether the source was cold; then what the kernel read ahead of the copy is dropped as well. */
  readonly #cold: boolean;
  readonly #start: number;
  #from: number;
  #to: number;
  #earlier = 0;

  /** Begins at an offset of each file. */
  constructor(source: number, target: number, from: number, to: number) {
    this.#source = source;
    this.#target = target;
    this.#start = from;
    this.#from = from;
    this.#to = to;
    this.#cold = resident(source, from, 1) === 0;
  }

  /** After `EOPNOTSUPP`: does without the flag. Returns whether it was in use. */
  simplify(): boolean {
    const used = this.readFlags !== 0;
    this.readFlags = 0;
    return used;
  }

  /** Begins to write what was just copied, and drops what was copied before that. */
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

  /** Drops the rest. A copy that has ended is not held up by what cannot be dropped. */
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
