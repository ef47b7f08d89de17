/** Moves bytes between descriptors inside the kernel, without a pipe. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { countOf, flagsOf, offsetOrNull } from "../arguments.ts";
import { check } from "../check.ts";
import { type FdLike, fdOf } from "../fd.ts";
import * as raw from "../raw/mod.ts";

/**
 * Moves bytes from a file to another descriptor without passing them through user space.
 *
 * One system call. It may move fewer bytes than requested, because the file ends, a socket buffer
 * fills or a signal arrives. Loop until it returns 0 or throws `EAGAIN`. If it returns 0 before you
 * have moved all bytes, the file was truncated.
 *
 * While a socket or pipe still holds the pages, overwriting the file changes what the peer
 * receives; truncating it does not. The call waits for the disk even if `out` is non-blocking.
 *
 * @param out Descriptor to write to; its position moves when it is a file.
 * @param from Descriptor to read from: a file, or a socket when `out` is a pipe.
 * @param offset First byte to read; the position of `from` is then neither used nor moved. `null`
 * reads at that position and moves it.
 * @param count Maximum bytes to move, an integer in 0..0x7ffff000. Don't pass 0: the call then
 * moves and checks nothing.
 * @returns Bytes moved; 0 at or past the end of the file.
 *
 * @throws {TypeError} When a descriptor is not an integer >= 0.
 * @throws {RangeError} When `offset` or `count` is out of range.
 * @throws {SyscallError} `EAGAIN` when `out` is non-blocking and full; `EPIPE` or `ECONNRESET` when
 * the peer has closed; `EINVAL` when `from` is a pipe, a folder or a socket (unless `out` is a
 * pipe), or `out` is open with `O_APPEND`; `EBADF` when `from` is not readable or `out` is not
 * writable; `EPERM` for a sealed memfd; `ESPIPE` for an offset on a descriptor without a position;
 * `EFBIG`, `ENOSPC`.
 *
 * @example Send a whole file on a blocking descriptor
 * ```ts ignore
 * for (let offset = 0, moved = 1; moved > 0; offset += moved) {
 *   moved = sendfile(socket, file, offset, 1 << 20);
 * }
 * ```
 *
 * @see {@link https://man7.org/linux/man-pages/man2/sendfile.2.html}
 */
export function sendfile(
  out: FdLike,
  from: FdLike,
  offset: number | null,
  count: number,
): number {
  const target = fdOf(out, "target");
  const source = fdOf(from, "source");
  offsetOrNull(offset);
  countOf(count);
  return check(
    raw.sendfile(target, source, offset, count),
    "sendfile",
    () => `send fd ${source} to fd ${target}`,
  );
}

/**
 * Copies a range between two files; the file system may share the blocks instead.
 *
 * May copy fewer bytes than requested. ext4 writes holes out as zeroes. On kernels 5.3 to 5.18 it
 * returns 0 for procfs and similar files that have content: if the first call returns 0, copy by
 * other means. Linux only.
 *
 * @param from File to read.
 * @param fromOffset First byte to read, or `null` for the file position, which then moves.
 * @param out File to write.
 * @param outOffset Where the first byte goes, or `null` for the file position, which then moves.
 * @param count Maximum bytes to copy, an integer in 0..0x7ffff000.
 * @param flags 0; no flags exist yet. Default: 0.
 * @returns Bytes copied; 0 at the end of `from`.
 *
 * @throws {TypeError} When a descriptor is not an integer >= 0.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `EXDEV` between file systems of different types; `EINVAL` for a pipe,
 * socket or device, for overlapping ranges of one file, and for flags; `EISDIR` for a folder;
 * `EBADF` when `from` is not readable, or `out` not writable or open with `O_APPEND`; `EFBIG`,
 * `ENOSPC`, `EOVERFLOW`; `EPERM`, `ETXTBSY` for immutable and swap files.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/copy_file_range.2.html}
 */
export function copyFileRange(
  from: FdLike,
  fromOffset: number | null,
  out: FdLike,
  outOffset: number | null,
  count: number,
  flags: number = 0,
): number {
  const source = fdOf(from, "source");
  const target = fdOf(out, "target");
  offsetOrNull(fromOffset, "fromOffset");
  offsetOrNull(outOffset, "outOffset");
  countOf(count);
  flagsOf(flags);
  return check(
    raw.copyFileRange(source, fromOffset, target, outOffset, count, flags),
    "copy_file_range",
    () => `copy fd ${source} to fd ${target}`,
  );
}

/**
 * Makes a file share all blocks of another until one of the two is written (the `FICLONE` ioctl).
 *
 * Replaces the whole content of `out` without copying. Btrfs, XFS and bcachefs support it.
 *
 * @param out File to fill, open for writing.
 * @param from File to share, open for reading.
 *
 * @throws {TypeError} When a descriptor is not an integer >= 0.
 * @throws {SyscallError} `EOPNOTSUPP` when the file system cannot share blocks (ext4, tmpfs);
 * `EXDEV` between file systems; `EBADF`, `EISDIR`, `EINVAL` for the wrong type of descriptor;
 * `ENOTTY` when the system lacks the call.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/FICLONE.2const.html}
 */
export function ficlone(out: FdLike, from: FdLike): void {
  const target = fdOf(out, "target");
  const source = fdOf(from, "source");
  check(
    raw.ioctl(target, platform.ioctl.FICLONE, source),
    "ioctl",
    () => `clone fd ${source} to fd ${target}`,
  );
}
