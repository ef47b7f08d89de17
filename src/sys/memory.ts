/**
 * Mapped and allocated memory, by handle.
 *
 * No address goes in or out. A range is an offset and a length within a {@linkcode Region}. Each
 * range is checked, so a call cannot reach other memory; for the same reason, fixed addresses are
 * not available. Views of a region are still raw memory: each call documents its hazards.
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
 * The kernel always chooses the address, C's first argument. You may close the descriptor right
 * after the call. Reads past the end of the file return zeroes up to the end of its last page.
 * Beyond that, and after the file was truncated, the process dies of SIGBUS: use `MappedFile` for
 * files that others may truncate. mmap(2) also maps TCP sockets: check descriptors that you did not
 * open.
 *
 * @param length Bytes. The mapping extends to the end of a page, but views show only these bytes.
 * @param protection Or-ed bits of `Protection`.
 * @param flags `MapFlag.SHARED` or `PRIVATE`, or-ed with others.
 * @param fd File to map; `null` for `MapFlag.ANONYMOUS`.
 * @param offset First byte of the file; a multiple of the page size.
 * @returns The mapping; release it with {@linkcode munmap}.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When a number is out of range, or `flags` asks for a fixed address.
 * @throws {SyscallError} `EINVAL` for a length of 0, an unaligned offset, or neither `SHARED` nor
 * `PRIVATE`; `EACCES` when the file is not open for reading, or the mapping is shared and writable
 * and the file is not open for writing; `ENODEV` or `EIO` for files that cannot be mapped (folders,
 * pipes, procfs); `EBADF`; `ENOMEM`; `EOVERFLOW`; `EOPNOTSUPP` for flags with `SHARED_VALIDATE`;
 * `EPERM` for a sealed memfd; `EAGAIN` when too much memory is locked.
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
    throw new RangeError(`Cannot map with flags ${flags}: fixed addresses are not available`);
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
 * Unmaps a region and detaches every array that shows it.
 *
 * A second call does nothing. The kernel writes dirty pages of a shared file mapping to the disk
 * later.
 *
 * Unlike `MappedFile.close()`, it cannot protect memory that an operation of the runtime still uses
 * in another thread: await `fs.read`, `zlib.gzip` and others first, or the process may crash.
 *
 * @throws {TypeError} When the region does not come from {@linkcode mmap}, or one of its arrays
 * cannot be detached because the runtime uses it or it was transferred. The mapping then stays.
 * @throws {SyscallError} `EINVAL` for huge pages if the length is not a multiple of their size. The
 * region then stays open, but its arrays are detached.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/munmap.2.html}
 */
export function munmap(region: Region): void {
  check(raw.munmap(region), "munmap", () => "unmap a region");
}

/**
 * Grows, shrinks or moves a mapping. Linux only.
 *
 * Consumes the region and returns a new one. Detaches every array that shows the old region, even
 * if the call fails; the old region then stays open and can return new arrays.
 *
 * @param region Mapping to change.
 * @param length New size in bytes. A mapping may extend past the end of its file, but you must not
 * touch that part.
 * @param flags `RemapFlag.MAYMOVE`, or 0.
 * @returns The new region; the old one is closed.
 *
 * @throws {TypeError} When the region is closed, does not come from {@linkcode mmap}, or cannot be
 * detached.
 * @throws {RangeError} When `length` is not a safe integer, or `flags` is out of range.
 * @throws {SyscallError} `ENOMEM` when no room is left; `EINVAL` for a length of 0 or beyond the
 * address space; `EFAULT` when `mprotect()` or `madvise()` has split the mapping; `EAGAIN` when too
 * much memory is locked.
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
 * Changes the permitted access to a part of a mapping.
 *
 * An access that is no longer permitted kills the process.
 *
 * @param region Mapping.
 * @param offset First byte, a multiple of the page size.
 * @param length Bytes; rounded up to whole pages.
 * @param protection Or-ed bits of `Protection`.
 *
 * @throws {TypeError} When the region is closed or does not come from {@linkcode mmap}.
 * @throws {RangeError} When the range is outside the region.
 * @throws {SyscallError} `EINVAL` for an unaligned offset; `EACCES` when the file of a shared
 * mapping is not open for that access; `ENOMEM`.
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
 * Writes the dirty pages of a shared file mapping to the disk.
 *
 * @param region Mapping.
 * @param offset First byte, a multiple of the page size.
 * @param length Bytes; 0 does nothing.
 * @param flags Or-ed bits of `MsyncFlag`.
 *
 * @throws {TypeError} When the region is closed or does not come from {@linkcode mmap}.
 * @throws {RangeError} When the range is outside the region.
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
 * Advises the kernel on how a part of a mapping will be used.
 *
 * `MemoryAdvice.DONTNEED` and `REMOVE` destroy data. `POPULATE_READ` checks whether a range can be
 * read: it fails with `EFAULT` where a load would raise SIGBUS.
 *
 * @param region Mapping.
 * @param offset First byte, a multiple of the page size.
 * @param length Bytes; rounded up to whole pages.
 * @param advice One of `MemoryAdvice`.
 *
 * @throws {TypeError} When the region is closed or does not come from {@linkcode mmap}.
 * @throws {RangeError} When the range is outside the region, or `advice` is negative.
 * @throws {SyscallError} `EINVAL` for an unaligned offset, an unknown advice, `FREE` on a file
 * mapping and `DONTNEED` on locked pages; `EFAULT` for `POPULATE_READ` past the end of the file;
 * `ENOMEM`; `EAGAIN` when the process has too many mappings.
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
 * Reports which pages of a mapping are in memory.
 *
 * If you neither own the file nor may write it, Linux reports all pages as resident.
 *
 * @param region Mapping.
 * @param offset First byte, a multiple of the page size.
 * @param length Bytes.
 * @returns One byte for each page, 1 when it is resident.
 *
 * @throws {TypeError} When the region is closed or does not come from {@linkcode mmap}.
 * @throws {RangeError} When the range is outside the region.
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
