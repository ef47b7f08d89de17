/// <reference lib="esnext.disposable" preserve="true" />
/** Methods common to mapped files and mapped memory. @module */

import { MemoryAdvice } from "../../sys/flags/memory.ts";
import { lockOnFault } from "../../sys/raw/fixed.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ADVICE, type MapAdvice } from "./advice.ts";
import { type MappedRange, onPages, ownRange, pagesOf, stateOf } from "./mapping_state.ts";
import { end } from "./end.ts";
import { MappedBytes } from "./mapped_bytes.ts";

/** Which pages of a range are in memory. */
export interface Residency {
  /** One byte per page, from the page that holds the first byte: 1 if it is in memory. */
  readonly pages: Uint8Array;
  /** Page size in bytes. */
  readonly pageSize: number;
  /** Share of the pages in memory, 0 to 1; 1 for an empty range. */
  readonly fraction: number;
}

/** What `open()` and `allocate()` pass to the constructor, which nobody else may call. */
export const MADE: unique symbol = Symbol("made");

/**
 * Memory that the system maps and buffers show without a copy: a `MappedFile` or a `MappedMemory`.
 *
 * No call on a mapping ends the process. Decoding `bytes` while another process writes them may:
 * use {@linkcode MappedBytes.text}. {@linkcode Mapping.close} detaches every array that shows the
 * mapping. Operations that still use the memory in another thread continue on zeroes. Calls on a
 * closed mapping throw `TypeError`.
 */
export abstract class Mapping extends MappedBytes implements Disposable {
  /**
   * Advises the kernel on how a range will be used.
   *
   * @param advice `"normal"`, `"random"` (no read-ahead) or `"sequential"` (more read-ahead);
   * `"willneed"` (start to read it); `"cold"` and `"pageout"` (reclaim it before other pages, or
   * now); `"hugepage"` and `"nohugepage"` (transparent huge pages); `"dontdump"` (exclude it from
   * core dumps).
   * @param range Default: the whole mapping.
   *
   * @throws {TypeError} When the mapping is closed, or the advice is unknown.
   * @throws {RangeError} When the range is outside the mapping.
   * @throws {TruncatedError} When the file was found to be truncated.
   * @throws {SyscallError} `EINVAL` when the kernel does not support the advice, or not for this
   * file.
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
   * Reports which pages are in memory.
   *
   * If you neither own the file nor may write it, Linux reports all pages as resident.
   *
   * @param range Default: the whole mapping.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is outside the mapping.
   * @throws {TruncatedError} When the file was found to be truncated.
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
   * Reads a range and keeps it in memory until {@linkcode unlock} or `close()`.
   *
   * Copies nothing: stores by others still show.
   *
   * @param range Default: the whole mapping.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is outside the mapping.
   * @throws {TruncatedError} When the file has been truncated.
   * @throws {SyscallError} `ENOMEM` above `RLIMIT_MEMLOCK`; `EPERM` when that limit is 0; `EAGAIN`.
   *
   * @see {@link https://man7.org/linux/man-pages/man2/mlock.2.html}
   */
  lock(range?: MappedRange): void {
    const own = ownRange(range);
    const state = stateOf(this, "lock");
    const action = `lock ${state.name}`;
    // Lock first, then fault the pages in: mlock(2) would fault private pages for writing, and so
    // copy each of them.
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
   * @param range Default: the whole mapping.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is outside the mapping.
   * @throws {TruncatedError} When the file was found to be truncated.
   */
  unlock(range?: MappedRange): void {
    const own = ownRange(range);
    const state = stateOf(this, "unlock");
    onPages(state, own, "munlock", `unlock ${state.name}`, raw.munlock);
  }

  /**
   * Detaches every array that shows the mapping, and frees the memory once it is unused.
   *
   * A second call does nothing. Await operations of the runtime that use a view in another thread
   * (`fs.write`, `zlib.gzip`, a Worker) first: they would continue on zeroes. Bun does not detach
   * an array in use; it shows zeroes then. The kernel writes stores into a shared mapping to the
   * disk later.
   *
   * @throws {TruncatedError} When a page was missing, and stores may be lost or no call has
   * reported it yet. The mapping is closed even so.
   * @throws {SyscallError} `EIO` likewise, for a page that could not be read though the file
   * contains it.
   */
  close(): void {
    end(this);
  }

  /** Calls {@linkcode close}. */
  [Symbol.dispose](): void {
    this.close();
  }
}
