/**
 * Mapped and allocated memory, by handle.
 *
 * No address goes in or out: ranges are offsets into a {@linkcode Region} and are checked, so that no
 * call reaches memory of somebody else, and placing a mapping at a fixed address is not offered. What
 * a region shows is still raw memory; its hazards are told with each call.
 *
 * @module
 */

import { platform } from "../../ffi/platform/mod.ts";
import { flagsOf, integer, offsetOf } from "./arguments.ts";
import { check } from "./check.ts";
import { type FdLike, fdOf } from "./fd.ts";
import { RemapFlag } from "./flags/memory.ts";
import * as raw from "./raw/mod.ts";
import { lengthOf, type Region } from "./region.ts";

const FIXED = platform.map.FIXED | platform.map.FIXED_NOREPLACE;

/**
 * Returns the size of a page in bytes.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/getpagesize.2.html}
 */
export function pageSize(): number {
  return raw.pageSize();
}

/**
 * Maps a file, or anonymous memory.
 *
 * The address, C's first argument, is always the kernel's choice. The descriptor may be closed right
 * after. Reading past the end of the file, up to the end of its last page, gives zeroes; beyond, and
 * after the file was truncated, the process dies of SIGBUS: use `MappedFile` for files that others
 * may truncate. A TCP socket can be mapped too: examine what you did not open.
 *
 * @param length Bytes; a mapping ends at a page, but only these can be reached.
 * @param protection Or-ed bits of `Protection`.
 * @param flags `MapFlag.SHARED` or `PRIVATE`, or-ed with others.
 * @param fd File to map; `null` for `MapFlag.ANONYMOUS`.
 * @param offset First byte of the file; a multiple of the page size.
 * @returns The mapping; the caller gives it back with {@linkcode munmap}.
 *
 * @throws {TypeError} When `fd` is no descriptor.
 * @throws {RangeError} When a number is outside its range, or `flags` asks for a fixed address.
 * @throws {SyscallError} `EINVAL` for a length of 0, an unaligned offset, or neither `SHARED` nor
 * `PRIVATE`; `EACCES` when the file is not open for reading, or not for writing and the mapping is
 * shared and writable; `ENODEV` or `EIO` for what cannot be mapped (folders, pipes, procfs); `EBADF`;
 * `ENOMEM`; `EOVERFLOW`; `EOPNOTSUPP` for flags with `SHARED_VALIDATE`; `EPERM` for a sealed memfd;
 * `EAGAIN` when too much is locked.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/mmap.2.html}
 */
export function mmap(
  length: number,
  protection: number,
  flags: number,
  fd: FdLike | null,
  offset: number = 0,
): Region {
  offsetOf(length, "length");
  flagsOf(protection, "protection");
  flagsOf(flags);
  if ((flags & FIXED) !== 0) {
    throw new RangeError(`Cannot map with flags ${flags}: fixed addresses are not offered`);
  }
  const file = fd === null ? -1 : fdOf(fd);
  offsetOf(offset);
  return check(
    raw.mmap(length, protection, flags, file, offset),
    "mmap",
    () => `map ${length} bytes of ${fd === null ? "memory" : `fd ${file}`}`,
  );
}

/**
 * Unmaps a region and empties every array that shows it.
 *
 * A second call does nothing. Dirty pages of a shared file mapping are written in time, by the kernel.
 *
 * Unlike `MappedFile.close()` it cannot protect memory that an operation of the runtime is still using
 * in another thread: await `fs.read`, `zlib.gzip` and the like first, or the process may crash.
 *
 * @throws {TypeError} When the region is not one of {@linkcode mmap}, or one of its arrays cannot be
 * emptied because the runtime is using it or has transferred it; the mapping then stays.
 * @throws {SyscallError} `EINVAL` for huge pages whose length is not a multiple of theirs; the region
 * then stays open, and its arrays are empty.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/munmap.2.html}
 */
export function munmap(region: Region): void {
  check(raw.munmap(region), "munmap", () => "unmap a region");
}

/**
 * Grows, shrinks or moves a mapping. Linux only.
 *
 * Takes the region and returns another. Every array that shows the old one is emptied even when the
 * call fails; the old region is then still open and gives new ones.
 *
 * @param region Mapping to change.
 * @param length New size in bytes. Beyond the end of a file it can be mapped, but not touched.
 * @param flags `RemapFlag.MAYMOVE`, or 0.
 * @returns The new region; the old one is closed.
 *
 * @throws {TypeError} When the region is closed, not one of {@linkcode mmap}, or cannot be emptied.
 * @throws {RangeError} When `length` is no safe integer, or `flags` anything else.
 * @throws {SyscallError} `ENOMEM` when there is no room; `EINVAL` for a length of 0 or beyond all addresses; `EFAULT` when
 * the mapping is in parts, because `mprotect()` or `madvise()` changed some of it; `EAGAIN` when too
 * much is locked.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/mremap.2.html}
 */
export function mremap(region: Region, length: number, flags: number = 0): Region {
  offsetOf(length, "length");
  integer(flags, "flags", 0, RemapFlag.MAYMOVE);
  return check(
    raw.mremap(region, length, flags),
    "mremap",
    () => `resize a region of ${lengthOf(region)} bytes to ${length}`,
  );
}

/**
 * Changes how a part of a mapping may be accessed.
 *
 * Touching memory in a way that is then forbidden kills the process.
 *
 * @param region Mapping.
 * @param offset First byte, a multiple of the page size.
 * @param length Bytes; rounded up to whole pages.
 * @param protection Or-ed bits of `Protection`.
 *
 * @throws {TypeError} When the region is closed or not one of {@linkcode mmap}.
 * @throws {RangeError} When the range is not inside the region.
 * @throws {SyscallError} `EINVAL` for an unaligned offset; `EACCES` when the file of a shared mapping
 * is not open for it; `ENOMEM`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/mprotect.2.html}
 */
export function mprotect(
  region: Region,
  offset: number,
  length: number,
  protection: number,
): void {
  flagsOf(protection, "protection");
  check(
    raw.mprotect(region, offset, length, protection),
    "mprotect",
    () => `protect ${length} bytes at ${offset} of a region`,
  );
}

/**
 * Writes the changed pages of a shared file mapping to the disk.
 *
 * @param region Mapping.
 * @param offset First byte, a multiple of the page size.
 * @param length Bytes; 0 does nothing.
 * @param flags Or-ed bits of `MsyncFlag`.
 *
 * @throws {TypeError} When the region is closed or not one of {@linkcode mmap}.
 * @throws {RangeError} When the range is not inside the region.
 * @throws {SyscallError} `EINVAL` for an unaligned offset, unknown flags, or `SYNC` with `ASYNC`;
 * `EBUSY` for `INVALIDATE` on locked pages; `EIO`, `ENOSPC` when writing failed.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/msync.2.html}
 */
export function msync(region: Region, offset: number, length: number, flags: number): void {
  flagsOf(flags);
  check(
    raw.msync(region, offset, length, flags),
    "msync",
    () => `write ${length} bytes at ${offset} of a region`,
  );
}

/**
 * Tells the kernel how a part of a mapping will be used.
 *
 * `MemoryAdvice.DONTNEED` and `REMOVE` destroy data. `POPULATE_READ` is the way to ask whether a range
 * can be read: `EFAULT` where a load would raise SIGBUS.
 *
 * @param region Mapping.
 * @param offset First byte, a multiple of the page size.
 * @param length Bytes; rounded up to whole pages.
 * @param advice One of `MemoryAdvice`.
 *
 * @throws {TypeError} When the region is closed or not one of {@linkcode mmap}.
 * @throws {RangeError} When the range is not inside the region, or `advice` negative.
 * @throws {SyscallError} `EINVAL` for an unaligned offset, an unknown advice, `FREE` on a file mapping
 * and `DONTNEED` on locked pages; `EFAULT` for `POPULATE_READ` past the end of the file; `ENOMEM`;
 * `EAGAIN` when the process has too many mappings.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/madvise.2.html}
 */
export function madvise(region: Region, offset: number, length: number, advice: number): void {
  flagsOf(advice, "advice");
  check(
    raw.madvise(region, offset, length, advice),
    "madvise",
    () => `advise on ${length} bytes at ${offset} of a region`,
  );
}

/**
 * Tells which pages of a mapping are in memory.
 *
 * To a caller who neither owns the file nor may write it, all pages are reported as resident.
 *
 * @param region Mapping.
 * @param offset First byte, a multiple of the page size.
 * @param length Bytes.
 * @returns One byte for each page, 1 when it is resident.
 *
 * @throws {TypeError} When the region is closed or not one of {@linkcode mmap}.
 * @throws {RangeError} When the range is not inside the region.
 * @throws {SyscallError} `EINVAL` for an unaligned offset.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/mincore.2.html}
 */
export function mincore(
  region: Region,
  offset: number = 0,
  length: number = lengthOf(region) - offset,
): Uint8Array {
  const pages = new Uint8Array(Math.ceil(offsetOf(length, "length") / pageSize()));
  check(
    raw.mincore(region, offset, length, pages),
    "mincore",
    () => `examine ${length} bytes at ${offset} of a region`,
  );
  // The other bits are reserved.
  return pages.map((byte) => byte & 1);
}
