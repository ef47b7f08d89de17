/// <reference lib="esnext.disposable" preserve="true" />
/** A pipe that is closed with its owner: `Pipe`. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { EAGAIN } from "../../errno.ts";
import { checkObject, describe, mustBe, wholeNumber } from "../../options.ts";
import { check } from "../../sys/check.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ownRanges } from "../../sys/raw/iovec.ts";
import { addressIn } from "../../sys/region.ts";

/** Options of {@linkcode Pipe}. */
export interface PipeOptions {
  /**
   * Bytes that the pipe should hold, an integer in 1..2^31-1; the kernel rounds up to a power of two
   * of pages. A wish: what the user may not have is made smaller, see {@linkcode Pipe.capacity}.
   *
   * @default {what the kernel gives: 64 KiB, or 8 KiB to a user who has 64 MiB of pipes}
   */
  capacity?: number | undefined;
  /**
   * Whether reading and writing wait in the kernel, as programs expect that are given an end of the
   * pipe as their standard input or output. A wait stops the thread that makes it.
   *
   * @default {false: `EAGAIN` instead}
   */
  blocking?: boolean | undefined;
}

const MOST_CAPACITY = 2 ** 31 - 1;

/** A pipe of this capacity costs no more than any pipe does, so nothing smaller is asked for. */
const LEAST_WISH = 64 * 1024;

/**
 * A pipe: what is written to one descriptor is read from the other.
 *
 * Both are close-on-exec. They are the object's: give them to whatever moves bytes, and close the
 * pipe when that has ended. A pipe that nobody closes stays open, whatever the collector does.
 * Linux only.
 *
 * @example Move bytes from a file to a file by way of a pipe
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
   * @param options Its capacity, and whether its ends wait.
   *
   * @throws {TypeError} When an option is of the wrong kind.
   * @throws {RangeError} When `capacity` is outside its range.
   * @throws {SyscallError} `EMFILE` or `ENFILE` when no descriptor is left.
   * @throws {UnsupportedError} When the system cannot be called, or is not Linux.
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
   * Bytes that the pipe holds, as the kernel said when it was opened: maybe less than was asked for.
   * It holds that many in whole pages only, since each write that is cut off costs a page.
   */
  get capacity(): number {
    return this.#capacity;
  }

  /** Whether both ends are closed. */
  get closed(): boolean {
    return this.#readFd < 0 && this.#writeFd < 0;
  }

  /**
   * Shows memory to the reader of the pipe without copying it, by vmsplice(2).
   *
   * Pipe and memory share the pages: what is stored into them before they are read, the reader gets,
   * and nothing tells when that was. So only memory that stays is taken: a region of `mmap()` in
   * `sluice/sys`. Unmapping it while the pipe holds it is safe.
   *
   * @param memory Ranges of regions, in order; at most 1024.
   * @returns Bytes shared, maybe fewer than asked for; 0 when the pipe is full.
   *
   * @throws {TypeError} When `memory` is no list of open regions that `mmap()` made.
   * @throws {RangeError} When a range is not inside its region.
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
      // What free() takes back, it hands out again while the pipe still shows it.
      addressIn(region, offset, length, "mmap");
    }
    const shared = raw.vmsplice(this.#writeFd, ranges, SPLICE_F_NONBLOCK);
    if (shared === EAGAIN) return 0;
    return check(shared, "vmsplice", () => `share ${ranges.length} ranges with a pipe`);
  }

  /** Closes the end to write to: the reader comes to the end. A second call does nothing. */
  closeWrite(): void {
    if (this.#writeFd >= 0) raw.close(this.#writeFd);
    this.#writeFd = -1;
  }

  /** Closes the end to read from: writers get `EPIPE`. A second call does nothing. */
  closeRead(): void {
    if (this.#readFd >= 0) raw.close(this.#readFd);
    this.#readFd = -1;
  }

  /** Closes both ends; what the pipe still holds is gone. A second call does nothing. */
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
  checkObject(options, action);
  const { capacity, blocking } = options;
  if (capacity !== undefined) {
    wholeNumber(capacity, "capacity", action);
    if (capacity < 1 || capacity > MOST_CAPACITY) {
      throw new RangeError(
        `Cannot ${action}: capacity is ${capacity}, but must be in 1..${MOST_CAPACITY}`,
      );
    }
  }
  mustBe(
    blocking === undefined || typeof blocking === "boolean",
    action,
    "blocking",
    "a boolean",
    blocking,
  );
  return { capacity, blocking };
}

/**
 * Asks for `capacity`, and for half of that as long as the user may not have it: `EPERM` above
 * `/proc/sys/fs/pipe-max-size`, or beyond the total of `pipe-user-pages-soft`. Returns what it is.
 */
function grow(pipe: number, capacity: number): number {
  for (let wish = capacity;; wish = Math.floor(wish / 2)) {
    const result = raw.fcntl(pipe, platform.fcntl.SETPIPE_SZ, wish);
    if (result > 0) return result;
    if (wish <= LEAST_WISH) return sizeOf(pipe);
  }
}

function sizeOf(pipe: number): number {
  // A kernel that does not tell (gVisor) has pipes of the usual capacity.
  const size = raw.fcntl(pipe, platform.fcntl.GETPIPE_SZ, 0);
  return size > 0 ? size : LEAST_WISH;
}
