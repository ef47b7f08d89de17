/** Reading, writing and shaping files. @module */

import { sizeOf } from "../../bytes.ts";
import { bytesOf, flagsOf, integer, listOf, offsetOf, offsetOrNull } from "../arguments.ts";
import { check } from "../check.ts";
import { type FdLike, fdOf } from "../fd.ts";
import * as raw from "../raw/mod.ts";

/**
 * Reads from the file position and moves it.
 *
 * One system call: it may return fewer bytes than asked for. Waits on a blocking socket or pipe, and
 * for the disk, and the whole thread with it.
 *
 * @param fd Descriptor to read from.
 * @param target Memory to fill; its length is the count.
 * @returns Bytes read; 0 at the end of the file, after the last writer closed, or for an empty `target`.
 *
 * @throws {TypeError} When `fd` is no descriptor or `target` no `Uint8Array`.
 * @throws {SyscallError} `EAGAIN` when non-blocking and empty; `EBADF` when not open for reading;
 * `EISDIR` for a folder; `EINVAL` when `O_DIRECT` wants another alignment; `EINTR` before any byte.
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
 * One system call: it may take fewer bytes than given. No SIGPIPE: the runtimes ignore it.
 *
 * @param fd Descriptor to write to.
 * @param source Bytes to write; its length is the count.
 * @returns Bytes written.
 *
 * @throws {TypeError} When `fd` is no descriptor or `source` no `Uint8Array`.
 * @throws {SyscallError} `EAGAIN` when non-blocking and full; `EPIPE` when the peer is gone; `EBADF`
 * when not open for writing; `ENOSPC` on a full disk; `EFBIG` beyond the limit of the file's size
 * (SIGXFSZ on Deno);
 * `EPERM` for a sealed memfd; `EINVAL` when `O_DIRECT` wants another alignment.
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
 * @returns Bytes read, maybe fewer than asked for; 0 at or beyond the end of the file.
 *
 * @throws {TypeError} When `fd` is no descriptor or `target` no `Uint8Array`.
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
 * A file open with `O_APPEND` is extended at its end whatever the offset (Linux).
 *
 * @param fd Descriptor to write to; not a pipe or socket.
 * @param source Bytes to write; its length is the count.
 * @param offset Where the first byte goes, in bytes; beyond the end it leaves a hole.
 * @returns Bytes written, maybe fewer than given.
 *
 * @throws {TypeError} When `fd` is no descriptor or `source` no `Uint8Array`.
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
 * With `ReadFlag.NOWAIT` it never waits for the disk, and so tells whether data is in the page cache;
 * a miss starts to read ahead, which a fast disk may answer at once. It may then return 0 before the
 * end of the file, see "BUGS" in the manual.
 *
 * @param fd Descriptor to read from.
 * @param target Memory to fill, in order; at most 1024 arrays.
 * @param offset First byte to read, or `null` for the file position, which then moves.
 * @param flags Or-ed bits of `ReadFlag`. Default: 0.
 * @returns Bytes read, maybe fewer than asked for; 0 at the end of the file.
 *
 * @throws {TypeError} When `fd` is no descriptor or `target` holds anything but `Uint8Array`.
 * @throws {RangeError} When `offset` or `flags` is outside its range.
 * @throws {SyscallError} `EAGAIN` with `NOWAIT` when the first page is not cached; `EOPNOTSUPP` for a
 * flag that the kernel or the file system lacks; `EINVAL` for more than 1024 arrays; `ESPIPE` for an
 * offset on a pipe; otherwise as {@linkcode read}.
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
 * @param offset Where the first byte goes, or `null` for the file position, which then moves.
 * @param flags Or-ed bits of `ReadFlag`. Default: 0.
 * @returns Bytes written, maybe fewer than given.
 *
 * @throws {TypeError} When `fd` is no descriptor or `source` holds anything but `Uint8Array`.
 * @throws {RangeError} When `offset` or `flags` is outside its range.
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
 * @throws {TypeError} When `fd` is no descriptor.
 * @throws {RangeError} When `offset` is not a safe integer, or `whence` not an integer.
 * @throws {SyscallError} `ESPIPE` for a pipe or socket; `EINVAL` for a position before the start or an
 * unknown `whence`; `ENXIO` when there is no data (`Whence.DATA`) or the offset is beyond the end.
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
 * A mapping of what is cut off raises SIGBUS in every process that touches it.
 *
 * @param fd Descriptor open for writing.
 * @param length New size in bytes; what is added is a hole.
 *
 * @throws {TypeError} When `fd` is no descriptor.
 * @throws {RangeError} When `length` is not a safe integer >= 0.
 * @throws {SyscallError} `EINVAL` when `fd` is not open for writing or not a file; `EPERM` for a memfd
 * that is sealed against it; `EFBIG` beyond the largest size (SIGXFSZ on Deno at `RLIMIT_FSIZE`); `EBADF`.
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
 * Reserve before storing through a mapping: on a full disk a store into a hole is SIGBUS. Linux only.
 *
 * @param fd Descriptor open for writing.
 * @param mode 0 to reserve, or or-ed bits of `FallocateFlag`.
 * @param offset First byte.
 * @param length Bytes; at least 1.
 *
 * @throws {TypeError} When `fd` is no descriptor.
 * @throws {RangeError} When a number is outside its range.
 * @throws {SyscallError} `ENOSPC` on a full disk; `EOPNOTSUPP` when the file system lacks the mode;
 * `EINVAL` for a length of 0 or modes that exclude each other; `EBADF` when not open for writing;
 * `ESPIPE` for a pipe; `ENODEV` for what is no file; `EFBIG` beyond the largest size.
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
