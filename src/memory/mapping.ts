/// <reference lib="esnext.disposable" preserve="true" />
/** What mapped files and mapped memory have in common. @module */

import { ownBytes } from "../bytes.ts";
import { bytesOf, integer } from "../sys/arguments.ts";
import { MemoryAdvice } from "../sys/memory_flags.ts";
import { lockOnFault } from "../sys/raw/fixed.ts";
import * as raw from "../sys/raw/mod.ts";
import { ADVICE, type MapAdvice } from "./advice.ts";
import {
  copy,
  coreOf,
  type MappedRange,
  onPages,
  openCore,
  ownRange,
  pagesOf,
  show,
} from "./core.ts";
import { end } from "./end.ts";

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
 * No use of a mapping ends the process. {@linkcode Mapping.close} empties every array that shows it,
 * and takes the memory away so that operations which are still using it in another thread go on with
 * zeroes; calls on a closed mapping throw `TypeError`.
 */
export abstract class Mapping implements Disposable {
  /** Bytes that are mapped; 0 when closed. */
  get length(): number {
    return openCore(this)?.length ?? 0;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return openCore(this) === undefined;
  }

  /**
   * Whether a page was found to be missing, because somebody has made the file shorter.
   *
   * Its bytes were read as zeroes, and what was stored there is lost. Every call but `close()` and
   * `resize()` then throws `TruncatedError`. False where the fault guard is not active: see
   * `capabilities().faultGuard`.
   */
  get truncated(): boolean {
    return (openCore(this)?.exposed?.row?.marks ?? 0) !== 0;
  }

  /**
   * All bytes, without a copy.
   *
   * Buffers begin on a page: mind `byteOffset` when you make a typed array of `bytes.buffer`.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the runtime has no array so long: Bun's end at 4 GiB. Use {@linkcode view}.
   * @throws {TruncatedError} When the file was found to be shorter.
   * @throws {UnsupportedError} When memory may not be shown: see `MappedFile.open()`.
   */
  get bytes(): Uint8Array<ArrayBuffer> {
    return show(this, 0, this.length);
  }

  /**
   * Shows a range, without a copy.
   *
   * @param offset First byte.
   * @param length Bytes; at most 4 GiB on Bun. Default: all that follow.
   * @returns A view that becomes empty when the mapping is closed or resized.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is not inside the mapping, or too long for one array.
   * @throws {TruncatedError} When the file was found to be shorter.
   * @throws {UnsupportedError} When memory may not be shown: see `MappedFile.open()`.
   */
  view(offset: number, length: number = this.length - offset): Uint8Array<ArrayBuffer> {
    return show(this, offset, length);
  }

  /**
   * Copies a range, and checks that the file still has it.
   *
   * Of a file with access `"read"` or `"write"` it copies what the file holds, without stray stores.
   *
   * @param offset First byte.
   * @param length Bytes. Default: all that follow.
   * @returns The bytes, in memory of the runtime.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is not inside the mapping.
   * @throws {TruncatedError} When the file no longer has all of it.
   */
  read(offset: number, length: number = this.length - offset): Uint8Array<ArrayBuffer> {
    coreOf(this, "read");
    integer(offset, "offset", 0, this.length);
    const target = new Uint8Array(integer(length, "length", 0, this.length - offset));
    copy(this, offset, ownBytes(target));
    return target;
  }

  /**
   * As {@linkcode read}, into an array that is there already.
   *
   * @param target Is filled, or left in part unspecified when the call throws.
   * @param offset First byte. Default: 0.
   * @returns Bytes copied: the length of `target`.
   *
   * @throws {TypeError} When the mapping is closed, or `target` is no `Uint8Array`.
   * @throws {RangeError} When the range is not inside the mapping.
   * @throws {TruncatedError} When the file no longer has all of it.
   */
  readInto(target: Uint8Array, offset: number = 0): number {
    const own = ownBytes(bytesOf(target, "target"));
    copy(this, offset, own);
    return own.length;
  }

  /**
   * Tells the kernel how a range will be used.
   *
   * @param advice `"normal"`, `"random"` (no read-ahead) or `"sequential"` (more of it); `"willneed"`
   * (start to read it in); `"cold"` and `"pageout"` (reclaim it before others, or now); `"hugepage"`
   * and `"nohugepage"` (transparent huge pages); `"dontdump"` (leave it out of core dumps).
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
    const core = coreOf(this, "advise on");
    onPages(core, own, "madvise", `advise on ${core.name}`, (region, start, length) => {
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
    const core = coreOf(this, "examine");
    const step = raw.pageSize();
    const found = new Uint8Array(Math.ceil(pagesOf(core, own).length / step));
    onPages(core, own, "mincore", `examine ${core.name}`, (region, start, length) => {
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
    const core = coreOf(this, "lock");
    const action = `lock ${core.name}`;
    // First the lock, then the pages: mlock(2) itself would fetch those of a private mapping for
    // writing, and so make a copy of each.
    onPages(core, own, "mlock2", action, lockOnFault);
    onPages(core, own, "madvise", action, (region, start, length) => {
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
    const core = coreOf(this, "unlock");
    onPages(core, own, "munlock", `unlock ${core.name}`, raw.munlock);
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
