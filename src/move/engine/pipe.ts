/// <reference lib="esnext.disposable" preserve="true" />
/** A pipe that is closed with its owner: `Pipe`. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { errnoName } from "../../errors.ts";
import { describe, wholeNumber } from "../../options.ts";
import { check } from "../../sys/check.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ownRanges } from "../../sys/raw/iovec.ts";
import { addressIn } from "../../sys/region.ts";

/** Options of {@linkcode Pipe}. */
export interface PipeOptions {
  /**
   * Requested capacity in bytes, an integer in 1..2^31-1; the kernel rounds up to a power of two of
   * pages. If the user may not have it, the pipe gets less: see {@linkcode Pipe.capacity}.
   *
   * @default {what the kernel gives: 64 KiB, or 8 KiB to a user who has 64 MiB of pipes}
   */
  capacity?: number | undefined;
  /**
   * Whether reads and writes block in the kernel, as programs expect of a standard input or output.
   * A blocking call stops its thread.
   *
   * @default {false: `EAGAIN` instead}
   */
  blocking?: boolean | undefined;
}

const MOST_CAPACITY = 2 ** 31 - 1;

/** A pipe of this capacity costs no more than a smaller one, so don't ask for less. */
const LEAST_WISH = 64 * 1024;

/**
 * A pipe: bytes written to one descriptor are read from the other.
 *
 * Both descriptors are close-on-exec, and the object owns them: pass them to the code that moves
 * bytes, and close the pipe afterwards. The garbage collector never closes it. Linux only.
 *
 * @example Move bytes from a file to a file through a pipe
 * ```ts ignore
 * using pipe = new Pipe({ capacity: 1 << 20 });
 * await Promise.all([
 *   transfer(source, pipe.writeFd).then(() => pipe.closeWrite()),
 *   transfer(pipe.readFd, target),
 * ]);
 * ```
 *
 * @see {@link https://man7.org/linux/man-pages/man7/pipe.7.html}
 */
export class Pipe {
  #readFd: number;
  #writeFd: number;
  readonly #capacity: number;

  /**
   * Opens a pipe.
   *
   * @param options Its capacity, and whether its ends block.
   *
   * @throws {TypeError} When an option has the wrong type.
   * @throws {RangeError} When `capacity` is out of range.
   * @throws {SyscallError} `EMFILE` or `ENFILE` when no descriptor is left.
   * @throws {UnsupportedError} Without foreign calls, or when the system is not Linux.
   */
  constructor(options: PipeOptions = {}) {
    const { capacity, blocking } = checkOptions(options);
    const fds = new Int32Array(2);
    const flags = platform.open.CLOEXEC | (blocking ? 0 : platform.open.NONBLOCK);
    check(raw.pipe2(fds, flags), "pipe2", () => "open a pipe");
    this.#readFd = fds[0]!;
    this.#writeFd = fds[1]!;
    this.#capacity = capacity === undefined ? sizeOf(this.#writeFd) : grow(this.#writeFd, capacity);
  }

  /** Descriptor to read from; -1 once closed. */
  get readFd(): number {
    return this.#readFd;
  }

  /** Descriptor to write to; -1 once closed. */
  get writeFd(): number {
    return this.#writeFd;
  }

  /**
   * Capacity in bytes, as reported when the pipe was opened; possibly less than requested. Only
   * whole pages fill it to capacity, because each partial write costs a page.
   */
  get capacity(): number {
    return this.#capacity;
  }

  /** Whether both ends are closed. */
  get closed(): boolean {
    return this.#readFd < 0 && this.#writeFd < 0;
  }

  /**
   * Maps memory into the pipe without copying it, by vmsplice(2).
   *
   * The pipe shares the pages. Until they are read, the reader receives what you store into them,
   * and nothing reports when that is. So it accepts only memory that stays: a region of `mmap()` in
   * `sluice/sys`. You may unmap it while the pipe holds it.
   *
   * @param memory Ranges of regions, in order; at most 1024.
   * @returns Bytes shared, possibly fewer than requested; 0 when the pipe is full.
   *
   * @throws {TypeError} When `memory` is not an array of open regions from `mmap()`.
   * @throws {RangeError} When a range is outside its region.
   * @throws {SyscallError} `EBADF` when the write end is closed; `EPIPE` when the read end is;
   * `EINVAL` for more than 1024 ranges.
   *
   * @see {@link https://man7.org/linux/man-pages/man2/vmsplice.2.html}
   */
  share(memory: readonly raw.RegionRange[]): number {
    if (!Array.isArray(memory)) {
      throw new TypeError(`Cannot share ${describe(memory)}: expected an array of ranges`);
    }
    const ranges = ownRanges(memory);
    for (const { region, offset, length } of ranges) {
      // free() would reuse the memory while the pipe still shows it.
      addressIn(region, offset, length, "mmap");
    }
    const shared = raw.vmsplice(this.#writeFd, ranges, SPLICE_F_NONBLOCK);
    if (errnoName(-shared) === "EAGAIN") return 0;
    return check(shared, "vmsplice", () => `share ${ranges.length} ranges with a pipe`);
  }

  /** Closes the write end: the reader sees the end. A second call does nothing. */
  closeWrite(): void {
    if (this.#writeFd >= 0) raw.close(this.#writeFd);
    this.#writeFd = -1;
  }

  /** Closes the read end: writers get `EPIPE`. A second call does nothing. */
  closeRead(): void {
    if (this.#readFd >= 0) raw.close(this.#readFd);
    this.#readFd = -1;
  }

  /** Closes both ends; bytes still in the pipe are lost. A second call does nothing. */
  close(): void {
    this.closeWrite();
    this.closeRead();
  }

  /** Closes both ends, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

const SPLICE_F_NONBLOCK = 2;

function checkOptions(options: PipeOptions): PipeOptions {
  const action = "open a pipe";
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${action}: options must be an object, not ${describe(options)}`);
  }
  const { capacity, blocking } = options;
  if (capacity !== undefined) {
    wholeNumber(capacity, "capacity", action);
    if (capacity < 1 || capacity > MOST_CAPACITY) {
      throw new RangeError(
        `Cannot ${action}: capacity is ${capacity}, but must be in 1..${MOST_CAPACITY}`,
      );
    }
  }
  if (blocking !== undefined && typeof blocking !== "boolean") {
    throw new TypeError(`Cannot ${action}: blocking must be a boolean, not ${describe(blocking)}`);
  }
  return { capacity, blocking };
}

/**
 * Requests `capacity`, and half of it as long as the user may not have that: `EPERM` above
 * `/proc/sys/fs/pipe-max-size`, or beyond the total of `pipe-user-pages-soft`. Returns the actual
 * capacity.
 */
function grow(pipe: number, capacity: number): number {
  for (let wish = capacity;; wish = Math.floor(wish / 2)) {
    const result = raw.fcntl(pipe, platform.fcntl.SETPIPE_SZ, wish);
    if (result > 0) return result;
    if (wish <= LEAST_WISH) return sizeOf(pipe);
  }
}

function sizeOf(pipe: number): number {
  // A kernel without this call (gVisor) has pipes of the usual capacity.
  const size = raw.fcntl(pipe, platform.fcntl.GETPIPE_SZ, 0);
  return size > 0 ? size : LEAST_WISH;
}
