/// <reference lib="esnext.disposable" preserve="true" />

/** Memory aligned for `O_DIRECT`. @module */

import { describe, wholeNumber } from "../../options.ts";
import { retry, show, takeBack } from "./lending.ts";
import { type Block, Slabs } from "./slabs.ts";

/** Page size on x64, and enough alignment for all known block devices. */
const PAGE = 4096;

/** Size of the largest huge page. */
const MOST_ALIGNMENT = 1024 ** 3;

/** Bun limits one buffer to 4 GiB. */
const MOST_SIZE = 2 ** 32;

const slabs = new Slabs();
let budget = 1024 ** 3;

/**
 * Memory outside the JavaScript heap, at an address that is a multiple of the alignment.
 *
 * A `DirectFile` reads into it and writes from it without a copy. The memory comes from slabs that
 * the process keeps: releasing it makes it available again, so late readers cannot crash. If you
 * drop a buffer without releasing it, its bytes stay counted against the budget; `using` releases
 * it in time.
 *
 * The initial content is arbitrary. If you transfer its `buffer` to another thread, the memory goes
 * with it for good.
 *
 * @example Read the first MiB of a file past the page cache
 * ```ts ignore
 * using buffer = AlignedBuffer.allocate(1024 * 1024);
 * await using file = await DirectFile.open("disk.img");
 * const count = await file.read(buffer.bytes, 0);
 * ```
 */
export class AlignedBuffer {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #block: Block | undefined;

  private constructor(block: Block, size: number) {
    if (typeof block !== "object") {
      throw new TypeError("Cannot construct an AlignedBuffer: use AlignedBuffer.allocate(size)");
    }
    this.#bytes = show(block, 0, size);
    this.#block = block;
  }

  /**
   * Bytes that the slabs of this thread may take in total. Released memory is reused first. Each
   * thread has its own budget.
   *
   * @default {1 GiB}
   */
  static get budget(): number {
    return budget;
  }

  /** Sets the budget. A budget below what the slabs already hold only stops them from growing. */
  static set budget(bytes: number) {
    budget = wholeNumber(bytes, "budget", "limit aligned memory");
  }

  /** Bytes that the slabs of this thread hold. They are never returned to the system. */
  static get reserved(): number {
    return slabs.bytes;
  }

  /**
   * Allocates aligned memory.
   *
   * @param size Bytes, 1 to 4 GiB. Rounded up to a power of two up to 2 MiB; beyond that, by at
   * most a quarter.
   * @param alignment Bytes, a power of two up to 1 GiB.
   *
   * @throws {TypeError} When an argument is not a number.
   * @throws {RangeError} When an argument is out of range, or the budget is exhausted.
   * @throws {SyscallError} `ENOMEM`.
   * @throws {UnsupportedError} Without foreign calls: only they can align memory.
   */
  static allocate(size: number, alignment: number = PAGE): AlignedBuffer {
    const action = `allocate ${describe(size)} aligned bytes`;
    if (wholeNumber(size, "size", action) < 1 || size > MOST_SIZE) {
      throw new RangeError(`Cannot ${action}: size must be in 1..${MOST_SIZE}`);
    }
    wholeNumber(alignment, "alignment", action);
    if (alignment < 1 || alignment > MOST_ALIGNMENT || !Number.isInteger(Math.log2(alignment))) {
      throw new RangeError(
        `Cannot ${action}: alignment is ${alignment}, but must be a power of two up to 1 GiB`,
      );
    }
    retry();
    const block = slabs.allocate(size, alignment, budget);
    if (block === undefined) {
      throw new RangeError(
        `Cannot ${action}: the budget is ${budget} bytes, of which the slabs have taken ` +
          `${slabs.bytes}; release buffers, or raise AlignedBuffer.budget`,
      );
    }
    return new AlignedBuffer(block, size);
  }

  /** View of the memory; empty once released. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** Whether the memory was released. */
  get released(): boolean {
    return this.#block === undefined;
  }

  /**
   * Detaches `bytes` and all other views of the memory, and makes the memory available again.
   *
   * The memory is not reused while operations of a `DirectFile` still use it. Await the runtime's
   * own operations (`fs.read`, `zlib.gzip`) first: they would read or overwrite the next owner's
   * data. A second call does nothing.
   */
  release(): void {
    const block = this.#block;
    if (block === undefined) return;
    this.#block = undefined;
    takeBack(this.#bytes.buffer, block);
  }

  /** Releases the memory at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.release();
  }
}
