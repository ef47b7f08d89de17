/** Pipes, and the calls that need one. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { countOf, describe, flagsOf, integer, MAX_INT, offsetOrNull } from "./arguments.ts";
import { check } from "./check.ts";
import { type FdLike, fdOf } from "./fd.ts";
import { ownRanges, type RegionRange } from "./raw/iovec.ts";
import * as raw from "./raw/mod.ts";

/**
 * Opens a pipe.
 *
 * An unprivileged user gets full-size pipes up to a total of 64 MiB, then pipes of 8 KiB: read
 * {@linkcode pipeSize} instead of assuming the capacity. Linux only.
 *
 * @param flags `OpenFlag.CLOEXEC`, `OpenFlag.NONBLOCK`, and `OpenFlag.DIRECT` for a pipe that
 * preserves the boundaries of writes. Other flags of `open()` are invalid. Default: 0.
 * @returns The read end and the write end; the caller closes both.
 *
 * @throws {RangeError} When `flags` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EINVAL` for other flags; `EMFILE` or `ENFILE` when no descriptor is left.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/pipe2.2.html}
 */
export function pipe2(flags: number = 0): [readFd: number, writeFd: number] {
  flagsOf(flags);
  const fds = new Int32Array(2);
  check(raw.pipe2(fds, flags), "pipe2", () => "open a pipe");
  return [fds[0]!, fds[1]!];
}

/**
 * Returns the capacity of a pipe in bytes (`F_GETPIPE_SZ`).
 *
 * Only whole pages fill it to capacity: a partly used slot costs a page.
 *
 * @throws {TypeError} When `pipe` is not a descriptor.
 * @throws {SyscallError} `EBADF` when it is not open or not a pipe.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/F_GETPIPE_SZ.2const.html}
 */
export function pipeSize(pipe: FdLike): number {
  const fd = fdOf(pipe, "pipe");
  return check(
    raw.fcntl(fd, platform.fcntl.GETPIPE_SZ, 0),
    "fcntl",
    () => `read the capacity of fd ${fd}`,
  );
}

/**
 * Changes the capacity of a pipe (`F_SETPIPE_SZ`).
 *
 * @param pipe Either end of the pipe.
 * @param size Requested capacity in bytes.
 * @returns The capacity in bytes: `size` rounded up to a power of two of pages.
 *
 * @throws {TypeError} When `pipe` is not a descriptor.
 * @throws {RangeError} When `size` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EBUSY` when the pipe holds more than `size`; `EPERM` for an unprivileged
 * user above `/proc/sys/fs/pipe-max-size` or the user's limit; `EBADF` when `pipe` is not open or
 * not a pipe.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/F_GETPIPE_SZ.2const.html}
 */
export function setPipeSize(pipe: FdLike, size: number): number {
  const fd = fdOf(pipe, "pipe");
  integer(size, "size", 0, MAX_INT);
  return check(
    raw.fcntl(fd, platform.fcntl.SETPIPE_SZ, size),
    "fcntl",
    () => `set the capacity of fd ${fd} to ${size} bytes`,
  );
}

/**
 * Moves bytes between a pipe and another descriptor, or between two pipes.
 *
 * May move fewer bytes than requested. From a socket, `EAGAIN` means that the socket is empty or
 * the pipe has no free slot: keep the pipe empty to tell the two apart. Pages of a file stay
 * shared, as with `sendfile()`.
 *
 * Never call it on a blocking socket. It waits inside the kernel while it holds the pipe's lock;
 * every other user of the pipe then hangs and cannot even be killed. `SpliceFlag.NONBLOCK` applies
 * to the pipe only and does not help. Linux only.
 *
 * @param from Descriptor to read from.
 * @param fromOffset First byte to read, in bytes; `null` for the file position, and for a pipe or
 * socket.
 * @param out Descriptor to write to.
 * @param outOffset Where the first byte goes; `null` for the file position, and for a pipe or
 * socket.
 * @param count Maximum bytes to move, an integer in 0..0x7ffff000. With 0, the kernel checks
 * nothing.
 * @param flags Or-ed bits of `SpliceFlag`. Default: 0.
 * @returns Bytes moved; 0 at the end of `from`, or when all its writers have closed.
 *
 * @throws {TypeError} When a descriptor is not an integer >= 0.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `EAGAIN` when it would wait; `EINVAL` when neither is a pipe, both are the
 * same pipe, `out` is open with `O_APPEND`, or a flag is unknown; `ESPIPE` for an offset on a pipe;
 * `EPIPE` when the reader has closed; `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/splice.2.html}
 */
export function splice(
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
    raw.splice(source, fromOffset, target, outOffset, count, flags),
    "splice",
    () => `splice fd ${source} to fd ${target}`,
  );
}

/**
 * Duplicates bytes from one pipe into another; the source keeps them.
 *
 * Always starts at the first byte in the source, so a second call duplicates the same bytes again.
 * May duplicate fewer bytes than requested: give `out` at least as many slots. Linux only.
 *
 * @param from Pipe to read.
 * @param out Pipe to fill.
 * @param count Maximum bytes, an integer in 0..0x7ffff000.
 * @param flags Or-ed bits of `SpliceFlag`. Default: 0.
 * @returns Bytes duplicated; 0 when `from` is empty and all its writers have closed.
 *
 * @throws {TypeError} When a descriptor is not an integer >= 0.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `EAGAIN` with `NONBLOCK` when `from` is empty or `out` is full; `EINVAL`
 * when one is not a pipe or both are the same; `EPIPE` when the reader of `out` has closed;
 * `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/tee.2.html}
 */
export function tee(from: FdLike, out: FdLike, count: number, flags: number = 0): number {
  const source = fdOf(from, "source");
  const target = fdOf(out, "target");
  countOf(count);
  flagsOf(flags);
  return check(
    raw.tee(source, target, count, flags),
    "tee",
    () => `duplicate fd ${source} to fd ${target}`,
  );
}

/**
 * Maps memory into a pipe without copying it.
 *
 * The pipe shares the pages, and so does every descriptor that they are spliced to. Until the pages
 * are consumed, the reader receives what you store into them, and nothing reports when that is.
 * Unmapping the memory is safe. Freeing it is not, because the allocator reuses it. Memory that
 * does not start on a page boundary takes one more slot. On the read end, the call copies from the
 * pipe into the memory instead. Linux only.
 *
 * @param pipe Pipe to fill.
 * @param memory Ranges of regions, in order; at most 1024.
 * @param flags Or-ed bits of `SpliceFlag`. Default: 0.
 * @returns Bytes shared, possibly fewer than requested.
 *
 * @throws {TypeError} When `pipe` is not a descriptor, `memory` is not an array, or a region is
 * closed.
 * @throws {RangeError} When a range is outside its region.
 * @throws {SyscallError} `EAGAIN` when it would wait; `EBADF` when `pipe` is not a pipe; `EINVAL`
 * for more than 1024 ranges or an unknown flag; `EFAULT` for memory that is not readable; `EPIPE`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/vmsplice.2.html}
 */
export function vmsplice(
  pipe: FdLike,
  memory: readonly RegionRange[],
  flags: number = 0,
): number {
  const fd = fdOf(pipe, "pipe");
  if (!Array.isArray(memory)) {
    throw new TypeError(`Cannot use ${describe(memory)} as memory: expected an array of ranges`);
  }
  flagsOf(flags);
  const ranges = ownRanges(memory);
  return check(
    raw.vmsplice(fd, ranges, flags),
    "vmsplice",
    () => `share ${ranges.length} ranges with fd ${fd}`,
  );
}
