/** Reading, writing and shaping files. @module */

import { sizeOf } from "../../bytes.ts";
import { bytesOf, flagsOf, integer, listOf, offsetOf, offsetOrNull } from "../arguments.ts";
import { check } from "../check.ts";
import { type FdLike, fdOf } from "../fd.ts";
import * as raw from "../raw/mod.ts";

/**
 * Reads from the file position and moves it.
 *
 * One system call; it may return fewer bytes than requested. On a blocking socket or pipe, and for
 * the disk, it blocks the whole thread.
 *
 * @param fd Descriptor to read from.
 * @param target Memory to fill; its length is the count.
 * @returns Bytes read; 0 at the end of the file, after the last writer has closed, or for an empty
 * `target`.
 *
 * @throws {TypeError} When `fd` is not a descriptor or `target` is not a `Uint8Array`.
 * @throws {SyscallError} `EAGAIN` when non-blocking and empty; `EBADF` when not open for reading;
 * `EISDIR` for a folder; `EINVAL` when `O_DIRECT` requires another alignment; `EINTR` before any
 * byte.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/read.2.html}
 */
export function read(fd: FdLike, target: Uint8Array): number {
  const from = fdOf(fd, "source");
  bytesOf(target, "target");
  return check(raw.read(from, target), "read", () => `read fd ${from}`);
}

/**
 * Writes at the file position and moves it.
 *
 * One system call; it may write fewer bytes than given. Raises no SIGPIPE: the runtimes ignore it.
 *
 * @param fd Descriptor to write to.
 * @param source Bytes to write; its length is the count.
 * @returns Bytes written.
 *
 * @throws {TypeError} When `fd` is not a descriptor or `source` is not a `Uint8Array`.
 * @throws {SyscallError} `EAGAIN` when non-blocking and full; `EPIPE` when the peer has closed;
 * `EBADF` when not open for writing; `ENOSPC` on a full disk; `EFBIG` past the file size limit (on
 * Deno, SIGXFSZ ends the process instead); `EPERM` for a sealed memfd; `EINVAL` when `O_DIRECT`
 * requires another alignment.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/write.2.html}
 */
export function write(fd: FdLike, source: Uint8Array): number {
  const to = fdOf(fd, "target");
  bytesOf(source, "source");
  return check(raw.write(to, source), "write", () => `write ${sizeOf(source)} bytes to fd ${to}`);
}

/**
 * Reads at an offset; the file position is neither used nor moved.
 *
 * @param fd Descriptor to read from; not a pipe or socket.
 * @param target Memory to fill; its length is the count.
 * @param offset First byte to read, in bytes.
 * @returns Bytes read, possibly fewer than requested; 0 at or past the end of the file.
 *
 * @throws {TypeError} When `fd` is not a descriptor or `target` is not a `Uint8Array`.
 * @throws {RangeError} When `offset` is not a safe integer >= 0.
 * @throws {SyscallError} `ESPIPE` for a pipe or socket; otherwise as {@linkcode read}.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/pread.2.html}
 */
export function pread(fd: FdLike, target: Uint8Array, offset: number): number {
  const from = fdOf(fd, "source");
  bytesOf(target, "target");
  offsetOf(offset);
  return check(raw.pread(from, target, offset), "pread", () => `read fd ${from} at ${offset}`);
}

/**
 * Writes at an offset; the file position is neither used nor moved.
 *
 * On Linux, a file opened with `O_APPEND` grows at its end regardless of the offset.
 *
 * @param fd Descriptor to write to; not a pipe or socket.
 * @param source Bytes to write; its length is the count.
 * @param offset Offset of the first byte; past the end of the file, it leaves a hole.
 * @returns Bytes written, possibly fewer than given.
 *
 * @throws {TypeError} When `fd` is not a descriptor or `source` is not a `Uint8Array`.
 * @throws {RangeError} When `offset` is not a safe integer >= 0.
 * @throws {SyscallError} `ESPIPE` for a pipe or socket; otherwise as {@linkcode write}.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/pwrite.2.html}
 */
export function pwrite(fd: FdLike, source: Uint8Array, offset: number): number {
  const to = fdOf(fd, "target");
  bytesOf(source, "source");
  offsetOf(offset);
  return check(raw.pwrite(to, source, offset), "pwrite", () => `write fd ${to} at ${offset}`);
}

/**
 * Reads into one or several arrays, with flags for this call.
 *
 * With `ReadFlag.NOWAIT` it never waits for the disk, which shows whether the data is in the page
 * cache. A miss starts read-ahead, so with a fast disk the next call may succeed at once. With
 * `NOWAIT` it may return 0 before the end of the file: see "BUGS" in the manual.
 *
 * @param fd Descriptor to read from.
 * @param target Memory to fill, in order; at most 1024 arrays.
 * @param offset First byte to read, or `null` for the file position, which then moves.
 * @param flags Or-ed bits of `ReadFlag`. Default: 0.
 * @returns Bytes read, possibly fewer than requested; 0 at the end of the file.
 *
 * @throws {TypeError} When `fd` is not a descriptor or `target` holds anything but `Uint8Array`.
 * @throws {RangeError} When `offset` or `flags` is out of range.
 * @throws {SyscallError} `EAGAIN` with `NOWAIT` when the first page is not cached; `EOPNOTSUPP` for
 * a flag that the kernel or the file system lacks; `EINVAL` for more than 1024 arrays; `ESPIPE` for
 * an offset on a pipe; otherwise as {@linkcode read}.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/preadv2.2.html}
 */
export function preadv2(
  fd: FdLike,
  target: Uint8Array | readonly Uint8Array[],
  offset: number | null,
  flags: number = 0,
): number {
  const from = fdOf(fd, "source");
  const list = listOf(target, "target");
  offsetOrNull(offset);
  flagsOf(flags);
  return check(
    raw.preadv2(from, list, offset ?? -1, flags),
    "preadv2",
    () => `read fd ${from} at ${offset ?? "its position"}`,
  );
}

/**
 * Writes one or several arrays, with flags for this call.
 *
 * @param fd Descriptor to write to.
 * @param source Bytes to write, in order; at most 1024 arrays.
 * @param offset Offset of the first byte, or `null` for the file position, which then moves.
 * @param flags Or-ed bits of `ReadFlag`. Default: 0.
 * @returns Bytes written, possibly fewer than given.
 *
 * @throws {TypeError} When `fd` is not a descriptor or `source` holds anything but `Uint8Array`.
 * @throws {RangeError} When `offset` or `flags` is out of range.
 * @throws {SyscallError} `EOPNOTSUPP` for a flag that the kernel or the file system lacks; `EINVAL`
 * for more than 1024 arrays; `ESPIPE` for an offset on a pipe; otherwise as {@linkcode write}.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/pwritev2.2.html}
 */
export function pwritev2(
  fd: FdLike,
  source: Uint8Array | readonly Uint8Array[],
  offset: number | null,
  flags: number = 0,
): number {
  const to = fdOf(fd, "target");
  const list = listOf(source, "source");
  offsetOrNull(offset);
  flagsOf(flags);
  return check(
    raw.pwritev2(to, list, offset ?? -1, flags),
    "pwritev2",
    () => `write fd ${to} at ${offset ?? "its position"}`,
  );
}

/**
 * Moves the file position, or finds data and holes.
 *
 * @param fd Descriptor of a file.
 * @param offset Bytes from `whence`; negative ones count backwards.
 * @param whence One of `Whence`.
 * @returns The new position, in bytes from the start.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When `offset` is not a safe integer, or `whence` not an integer.
 * @throws {SyscallError} `ESPIPE` for a pipe or socket; `EINVAL` for a position before the start or
 * an unknown `whence`; `ENXIO` when no data follows (`Whence.DATA`) or the offset is past the end.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/lseek.2.html}
 */
export function lseek(fd: FdLike, offset: number, whence: number): number {
  const number = fdOf(fd);
  integer(offset, "offset", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  flagsOf(whence, "whence");
  return check(raw.lseek(number, offset, whence), "lseek", () => `seek fd ${number} to ${offset}`);
}

/**
 * Sets the size of a file.
 *
 * Touching a mapping of the part cut off raises SIGBUS, in every process.
 *
 * @param fd Descriptor open for writing.
 * @param length New size in bytes; a longer file gets a hole.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When `length` is not a safe integer >= 0.
 * @throws {SyscallError} `EINVAL` when `fd` is not open for writing or not a file; `EPERM` for a
 * memfd that is sealed against it; `EFBIG` beyond the maximum size (on Deno, SIGXFSZ at
 * `RLIMIT_FSIZE`); `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/ftruncate.2.html}
 */
export function ftruncate(fd: FdLike, length: number): void {
  const number = fdOf(fd);
  offsetOf(length, "length");
  check(raw.ftruncate(number, length), "ftruncate", () => `resize fd ${number} to ${length} bytes`);
}

/**
 * Reserves, frees or zeroes the blocks of a range.
 *
 * Reserve blocks before you store through a mapping: on a full disk, a store into a hole raises
 * SIGBUS. Linux only.
 *
 * @param fd Descriptor open for writing.
 * @param mode 0 to reserve, or or-ed bits of `FallocateFlag`.
 * @param offset First byte.
 * @param length Bytes; at least 1.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `ENOSPC` on a full disk; `EOPNOTSUPP` when the file system lacks the mode;
 * `EINVAL` for a length of 0 or modes that exclude each other; `EBADF` when not open for writing;
 * `ESPIPE` for a pipe; `ENODEV` for other descriptors that are not files; `EFBIG` beyond the
 * maximum size.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/fallocate.2.html}
 */
export function fallocate(fd: FdLike, mode: number, offset: number, length: number): void {
  const number = fdOf(fd);
  flagsOf(mode, "mode");
  offsetOf(offset);
  offsetOf(length, "length");
  check(
    raw.fallocate(number, mode, offset, length),
    "fallocate",
    () => `allocate ${length} bytes of fd ${number} at ${offset}`,
  );
}
