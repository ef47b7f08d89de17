/** The page cache, and writing to the disk. @module */

import { countOf, flagsOf, offsetOf } from "../arguments.ts";
import { check } from "../check.ts";
import { type FdLike, fdOf } from "../fd.ts";
import * as raw from "../raw/mod.ts";

/**
 * Advises the kernel on how a range of a file will be used.
 *
 * `FileAdvice.DONTNEED` ignores dirty pages: call {@linkcode fdatasync} first. `WILLNEED` only
 * starts the reads.
 *
 * @param fd Descriptor of a file.
 * @param offset First byte.
 * @param length Bytes; 0 is all to the end.
 * @param advice One of `FileAdvice`.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `ESPIPE` for a pipe; `EINVAL` for an unknown advice; `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/posix_fadvise.2.html}
 */
export function posixFadvise(fd: FdLike, offset: number, length: number, advice: number): void {
  const number = fdOf(fd);
  offsetOf(offset);
  offsetOf(length, "length");
  flagsOf(advice, "advice");
  check(
    raw.posixFadvise(number, offset, length, advice),
    "posix_fadvise",
    () => `advise on fd ${number}`,
  );
}

/**
 * Starts to read a range into the page cache.
 *
 * Returns before the data has arrived, but may wait for the metadata that locates it. Linux only.
 *
 * @param fd Descriptor of a file, open for reading.
 * @param offset First byte.
 * @param count Bytes, an integer in 0..0x7ffff000; the kernel may read fewer.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `EINVAL` for a pipe, socket or folder; `EBADF` when not open for reading.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/readahead.2.html}
 */
export function readahead(fd: FdLike, offset: number, count: number): void {
  const number = fdOf(fd);
  offsetOf(offset);
  countOf(count);
  check(raw.readahead(number, offset, count), "readahead", () => `read fd ${number} ahead`);
}

/** Pages of a file by their state in the cache. */
export interface CacheStat {
  /** Pages in the cache, including those whose read is still in flight. */
  readonly cached: number;
  /** Modified pages that are not yet written. */
  readonly dirty: number;
  /** Pages being written. */
  readonly writeback: number;
  /** Pages evicted at some time. */
  readonly evicted: number;
  /** Pages evicted so recently that they would stay if they were read again. */
  readonly recentlyEvicted: number;
}

/**
 * Counts the pages of a range that are in the page cache.
 *
 * It counts reads in flight as cached. To find out whether a read would wait, use `preadv2()` with
 * `ReadFlag.NOWAIT`. Linux 6.5.
 *
 * @param fd Descriptor of a file.
 * @param offset First byte.
 * @param length Bytes; 0 is all to the end.
 * @returns Counts of pages, of `pageSize()` bytes each.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `ENOSYS` on older kernels; `EBADF` when not open or not a file; `EPERM`
 * when the file is neither writable nor owned by the caller; `EOPNOTSUPP` for huge pages.
 *
 * @see {@link https://docs.kernel.org/admin-guide/mm/}
 */
export function cachestat(fd: FdLike, offset: number, length: number): CacheStat {
  const number = fdOf(fd);
  offsetOf(offset);
  offsetOf(length, "length");
  const out = new BigUint64Array(5);
  check(
    raw.cachestat(number, offset, length, out),
    "cachestat",
    () => `count the cached pages of fd ${number}`,
  );
  const [cached = 0, dirty = 0, writeback = 0, evicted = 0, recentlyEvicted = 0] = Array.from(
    out,
    Number,
  );
  return { cached, dirty, writeback, evicted, recentlyEvicted };
}

/**
 * Starts writeback of a range, or waits for it, without metadata.
 *
 * Does not protect against a crash: it neither writes metadata nor flushes the disk's own cache.
 * Use it to limit the number of dirty pages. Linux only.
 *
 * @param fd Descriptor of a file.
 * @param offset First byte.
 * @param length Bytes; 0 is all to the end.
 * @param flags Or-ed bits of `SyncRangeFlag`; 0 does nothing.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `ESPIPE` for a pipe; `EINVAL` for unknown flags; `EIO`, `ENOSPC` when
 * writeback failed; `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/sync_file_range.2.html}
 */
export function syncFileRange(fd: FdLike, offset: number, length: number, flags: number): void {
  const number = fdOf(fd);
  offsetOf(offset);
  offsetOf(length, "length");
  flagsOf(flags);
  check(
    raw.syncFileRange(number, offset, length, flags),
    "sync_file_range",
    () => `write fd ${number} back`,
  );
}

/**
 * Waits until a file and its metadata are on the disk.
 *
 * For a new file, sync its folder too. After an error the pages may count as clean: write them
 * again.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {SyscallError} `EIO`, `ENOSPC`, `EDQUOT` when writeback failed; `EINVAL` for a pipe or
 * socket; `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/fsync.2.html}
 */
export function fsync(fd: FdLike): void {
  const number = fdOf(fd);
  check(raw.fsync(number), "fsync", () => `sync fd ${number}`);
}

/**
 * Waits until the data of a file, and the metadata needed to read it, are on the disk.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {SyscallError} As {@linkcode fsync}.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/fdatasync.2.html}
 */
export function fdatasync(fd: FdLike): void {
  const number = fdOf(fd);
  check(raw.fdatasync(number), "fdatasync", () => `sync the data of fd ${number}`);
}
