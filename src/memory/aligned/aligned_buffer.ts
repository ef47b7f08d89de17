/// <reference lib="esnext.disposable" preserve="true" />

/** Memory as `O_DIRECT` wants it. @module */

import { describe, wholeNumber } from "../../options.ts";
import { retry, show, takeBack } from "./lending.ts";
import { type Block, Slabs } from "./slabs.ts";

/** Alignment of a page on x64, and of every block device that is known. */
const PAGE = 4096;

/** That of the largest pages. */
const MOST_ALIGNMENT = 1024 ** 3;

/** Bun shows at most 4 GiB in one buffer. */
const MOST_SIZE = 2 ** 32;

const slabs = new Slabs();
let budget = 1024 ** 3;

/**
 * Memory whose address is a multiple of the alignment, outside the JavaScript heap.
 *
 * A `DirectFile` reads into it and writes from it without a copy. It comes from slabs that the process
 * keeps: releasing makes it available again, and nothing can make a late reader crash. A buffer that is
 * neither released nor used any more stays lost to the budget; `using` releases it in time.
 *
 * Its first content is whatever the memory held before. Handing its `buffer` to another thread by
 * `transfer` takes the memory along for good.
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
    this.#bytes = show(block, 0, size);
    this.#block = block;
  }

  /**
   * Bytes that the slabs of this thread may take in all; memory that was released is used again before
   * more is taken. Each thread has its own.
   *
   * @default {1 GiB}
   */
  static get budget(): number {
    return budget;
  }

  /** Sets the budget. A lower one than what is taken already only keeps it from growing. */
  static set budget(bytes: number) {
    budget = wholeNumber(bytes, "budget", "limit aligned memory");
  }

  /** Bytes that the slabs of this thread have taken. They are kept. */
  static get reserved(): number {
    return slabs.bytes;
  }

  /**
   * Takes memory.
   *
   * @param size Bytes, 1 to 4 GiB. Up to 1 MiB a power of two is taken; beyond, up to a quarter more.
   * @param alignment Bytes, a power of two up to 1 GiB.
   *
   * @throws {TypeError} When an argument is no number.
   * @throws {RangeError} When an argument is outside its range, or the budget does not suffice.
   * @throws {SyscallError} `ENOMEM`.
   * @throws {UnsupportedError} Without foreign functions, which alone can align memory.
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

  /** The memory; empty once released. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** Whether the memory was released. */
  get released(): boolean {
    return this.#block === undefined;
  }

  /**
   * Empties `bytes` and everything else that shows the memory, and makes it available again.
   *
   * While operations of a `DirectFile` are in flight on it nobody else gets it. Operations of the
   * runtime itself (`fs.read`, `zlib.gzip`) must be awaited before: they would see, or overwrite, what
   * the next owner has there. A second call does nothing.
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
