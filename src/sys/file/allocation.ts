/** Special memory: locked, aligned, or in a file without a path. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { flagsOf, integer, pathOf } from "../arguments.ts";
import { check } from "../check.ts";
import { type FdLike, fdOf } from "../fd.ts";
import * as raw from "../raw/mod.ts";
import { lengthOf, type Region } from "../region.ts";

/**
 * Reads a part of a mapping and keeps it in memory.
 *
 * @param region Mapping.
 * @param offset First byte; its whole page is locked. Default: 0.
 * @param length Bytes. Default: to the end of the region.
 *
 * @throws {TypeError} When the region is closed or does not come from `mmap()`.
 * @throws {RangeError} When the range is outside the region.
 * @throws {SyscallError} `ENOMEM` above `RLIMIT_MEMLOCK` or past the end of the file; `EPERM` when
 * that limit is 0; `EAGAIN`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/mlock.2.html}
 */
export function mlock(
  region: Region,
  offset: number = 0,
  length: number = lengthOf(region) - offset,
): void {
  check(raw.mlock(region, offset, length), "mlock", () => `lock ${length} bytes of a region`);
}

/**
 * Undoes {@linkcode mlock}, no matter how often it was called.
 *
 * @param region Mapping.
 * @param offset First byte. Default: 0.
 * @param length Bytes. Default: to the end of the region.
 *
 * @throws {TypeError} When the region is closed or does not come from `mmap()`.
 * @throws {RangeError} When the range is outside the region.
 * @throws {SyscallError} `ENOMEM`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/munlock.2.html}
 */
export function munlock(
  region: Region,
  offset: number = 0,
  length: number = lengthOf(region) - offset,
): void {
  check(raw.munlock(region, offset, length), "munlock", () => `unlock ${length} bytes of a region`);
}

/**
 * Allocates aligned memory, as `O_DIRECT` requires.
 *
 * The initial content is arbitrary: overwrite it before you pass it on. `madvise()`, `mprotect()`
 * and other calls on pages reject this memory, because its pages also hold other data.
 *
 * @param alignment Bytes; a power of two of at least 8.
 * @param size Bytes; at least 1.
 * @returns The memory; release it with {@linkcode free}.
 *
 * @throws {RangeError} When a number is not a safe integer, or too small.
 * @throws {SyscallError} `EINVAL` when `alignment` is not a power of two of at least 8; `ENOMEM`.
 *
 * @see {@link https://man7.org/linux/man-pages/man3/posix_memalign.3.html}
 */
export function posixMemalign(alignment: number, size: number): Region {
  integer(alignment, "alignment", 1, Number.MAX_SAFE_INTEGER);
  integer(size, "size", 1, Number.MAX_SAFE_INTEGER);
  return check(
    raw.posixMemalign(alignment, size),
    "posix_memalign",
    () => `allocate ${size} bytes aligned to ${alignment}`,
  );
}

/**
 * Frees memory and detaches every array that shows it.
 *
 * A second call does nothing. Never free memory that an operation of the runtime still uses in
 * another thread, that io_uring holds, or that `vmsplice()` put into a pipe that is not drained:
 * the allocator reuses it.
 *
 * @throws {TypeError} When the region does not come from {@linkcode posixMemalign}, or one of its
 * arrays cannot be detached because the runtime uses it or it was transferred. The memory then
 * stays.
 *
 * @see {@link https://man7.org/linux/man-pages/man3/free.3.html}
 */
export function free(region: Region): void {
  raw.free(region);
}

/**
 * Creates a file in memory that has no path. Linux only.
 *
 * @param name Shown in `/proc/self/maps`; at most 249 bytes; need not be unique.
 * @param flags Or-ed bits of `MemfdFlag`. Default: 0.
 * @returns The descriptor of an empty file, open for reading and writing; the caller closes it.
 *
 * @throws {TypeError} When `name` is not a string or contains NUL.
 * @throws {RangeError} When `flags` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EINVAL` for a longer name or unknown flags; `EMFILE`, `ENFILE`, `ENOMEM`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/memfd_create.2.html}
 */
export function memfdCreate(name: string, flags: number = 0): number {
  pathOf(name);
  flagsOf(flags);
  return check(raw.memfdCreate(name, flags), "memfd_create", () => "create a file in memory");
}

/**
 * Forbids changes to a memfd, for all processes and forever (`F_ADD_SEALS`).
 *
 * @param fd Descriptor of {@linkcode memfdCreate} with `MemfdFlag.ALLOW_SEALING`, open for writing.
 * @param seals Or-ed bits of `Seal`.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When `seals` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EPERM` when sealed with `Seal.SEAL`, which is the default without
 * `ALLOW_SEALING`, or not open for writing; `EBUSY` for `Seal.WRITE` while a writable shared
 * mapping exists; `EINVAL` when the file cannot be sealed, or for unknown bits.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/F_GET_SEALS.2const.html}
 */
export function addSeals(fd: FdLike, seals: number): void {
  const number = fdOf(fd);
  flagsOf(seals, "seals");
  check(
    raw.fcntl(number, platform.fcntl.ADD_SEALS, seals),
    "fcntl",
    () => `seal fd ${number}`,
  );
}

/**
 * Returns the seals of a memfd (`F_GET_SEALS`), as bits of `Seal`.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {SyscallError} `EINVAL` when the file cannot be sealed; `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/F_GET_SEALS.2const.html}
 */
export function seals(fd: FdLike): number {
  const number = fdOf(fd);
  return check(
    raw.fcntl(number, platform.fcntl.GET_SEALS, 0),
    "fcntl",
    () => `read the seals of fd ${number}`,
  );
}
