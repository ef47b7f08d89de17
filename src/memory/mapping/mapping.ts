/// <reference lib="esnext.disposable" preserve="true" />
/** What mapped files and mapped memory have in common. @module */

import { MemoryAdvice } from "../../sys/flags/memory.ts";
import { lockOnFault } from "../../sys/raw/fixed.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ADVICE, type MapAdvice } from "./advice.ts";
import { type MappedRange, onPages, ownRange, pagesOf, stateOf } from "./mapping_state.ts";
import { end } from "./end.ts";
import { MappedBytes } from "./mapped_bytes.ts";

/** What of a range is in memory. */
export interface Residency {
  /** One byte for each page, from the page that holds the first byte: 1 when it is in memory. */
  readonly pages: Uint8Array;
  /** Bytes of a page. */
  readonly pageSize: number;
  /** Pages in memory divided by all pages, 0 to 1; 1 when there are none. */
  readonly fraction: number;
}

/**
 * Memory of the system, shown without a copy: a `MappedFile` or a `MappedMemory`.
 *
 * No call on a mapping ends the process; decoding `bytes` that another process writes may: use
 * {@linkcode MappedBytes.text}. {@linkcode Mapping.close} empties every array that shows it,
 * and takes the memory away so that operations which are still using it in another thread go on with
 * zeroes; calls on a closed mapping throw `TypeError`.
 */
export abstract class Mapping extends MappedBytes implements Disposable {
  /**
   * Tells the kernel how a range will be used.
   *
   * @param advice `"normal"`, `"random"` (no read-ahead) or `"sequential"` (more of it); `"willneed"`
   * (start to read it in); `"cold"` and `"pageout"` (reclaim it before others, or now); `"hugepage"`
   * and `"nohugepage"` (transparent huge pages); `"dontdump"` (leave it out of state dumps).
   * @param range Default: all.
   *
   * @throws {TypeError} When the mapping is closed, or there is no such advice.
   * @throws {RangeError} When the range is not inside the mapping.
   * @throws {TruncatedError} When the file was found to be shorter.
   * @throws {SyscallError} `EINVAL` where the kernel does not know the advice, or not for this file.
   *
   * @see {@link https://man7.org/linux/man-pages/man2/madvise.2.html}
   */
  advise(advice: MapAdvice, range?: MappedRange): void {
    if (!Object.hasOwn(ADVICE, advice)) {
      throw new TypeError(
        `Cannot advise ${JSON.stringify(advice)}: expected one of ${Object.keys(ADVICE)}`,
      );
    }
    const own = ownRange(range);
    const state = stateOf(this, "advise on");
    onPages(state, own, "madvise", `advise on ${state.name}`, (region, start, length) => {
      return raw.madvise(region, start, length, ADVICE[advice]);
    });
  }

  /**
   * Tells which pages are in memory.
   *
   * To a caller who neither owns the file nor may write it, Linux reports all pages as resident.
   *
   * @param range Default: all.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is not inside the mapping.
   * @throws {TruncatedError} When the file was found to be shorter.
   *
   * @see {@link https://man7.org/linux/man-pages/man2/mincore.2.html}
   */
  residency(range?: MappedRange): Residency {
    const own = ownRange(range);
    const state = stateOf(this, "examine");
    const step = raw.pageSize();
    const found = new Uint8Array(Math.ceil(pagesOf(state, own).length / step));
    onPages(state, own, "mincore", `examine ${state.name}`, (region, start, length) => {
      return raw.mincore(region, start, length, found);
    });
    // The other bits are reserved.
    const pages = found.map((byte) => byte & 1);
    const count = pages.reduce((sum, page) => sum + page, 0);
    return { pages, pageSize: step, fraction: pages.length === 0 ? 1 : count / pages.length };
  }

  /**
   * Reads a range in and keeps it in memory, until {@linkcode unlock} or `close()`.
   *
   * Nothing is copied: what others store into the file still shows.
   *
   * @param range Default: all.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is not inside the mapping.
   * @throws {TruncatedError} When the file is shorter.
   * @throws {SyscallError} `ENOMEM` above `RLIMIT_MEMLOCK`; `EPERM` when that limit is 0; `EAGAIN`.
   *
   * @see {@link https://man7.org/linux/man-pages/man2/mlock.2.html}
   */
  lock(range?: MappedRange): void {
    const own = ownRange(range);
    const state = stateOf(this, "lock");
    const action = `lock ${state.name}`;
    // First the lock, then the pages: mlock(2) itself would fetch those of a private mapping for
    // writing, and so make a copy of each.
    onPages(state, own, "mlock2", action, lockOnFault);
    onPages(state, own, "madvise", action, (region, start, length) => {
      const result = raw.madvise(region, start, length, MemoryAdvice.POPULATE_READ);
      if (result < 0) raw.munlock(region, start, length);
      return result;
    });
  }

  /**
   * Undoes {@linkcode lock}.
   *
   * @param range Default: all.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is not inside the mapping.
   * @throws {TruncatedError} When the file was found to be shorter.
   */
  unlock(range?: MappedRange): void {
    const own = ownRange(range);
    const state = stateOf(this, "unlock");
    onPages(state, own, "munlock", `unlock ${state.name}`, raw.munlock);
  }

  /**
   * Empties every array that shows the mapping, and gives the memory back once nobody uses it.
   *
   * A second call does nothing. Operations of the runtime that are using a view in another thread
   * (`fs.write`, `zlib.gzip`, a Worker) go on, with zeroes: await them first. Bun does not empty an
   * array that is in use; it shows zeroes then. What was stored into a shared mapping is written to
   * the disk in time, by the kernel.
   *
   * @throws {TruncatedError} When a page was found to be missing, and stores may be lost or no other
   * call has told so; the mapping is closed all the same.
   * @throws {SyscallError} `EIO` likewise, for a page that could not be had though the file has it.
   */
  close(): void {
    end(this);
  }

  /** Calls {@linkcode close}. */
  [Symbol.dispose](): void {
    this.close();
  }
}
