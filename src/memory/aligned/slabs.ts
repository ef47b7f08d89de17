/**
 * Aligned memory in slabs that are kept for good: whatever becomes of a view, of an operation or of the
 * thread, no address is ever given back to be somebody else's.
 *
 * @module
 */

import { check } from "../../sys/check.ts";
import { mapped } from "../map_limit.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ownWindow, type Region } from "../../sys/region.ts";

/** Smallest block. */
const LEAST = 512;

/** Bytes of a slab that holds several blocks; each is aligned to its own size. */
const SLAB = 1024 * 1024;

/** What blocks of one kind have in common. */
interface SizeClass {
  /** Bytes of a block. */
  readonly size: number;
  /** What their addresses are multiples of. */
  readonly alignment: number;
  readonly free: Block[];
}

/** A piece of a slab, in use by several at a time, or by nobody. */
export class Block {
  /** Where it lies; null for memory of the JavaScript heap. */
  readonly region: Region | null;
  /** First byte in the region. */
  readonly at: number;
  readonly #class: SizeClass;
  #holds = 0;
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  /** Made by {@linkcode Slabs}. */
  constructor(region: Region | null, at: number, sizeClass: SizeClass) {
    this.region = region;
    this.at = at;
    this.#class = sizeClass;
  }

  /** Bytes; at least what was asked for. */
  get size(): number {
    return this.#class.size;
  }

  /** How many use the block. */
  get holds(): number {
    return this.#holds;
  }

  /** Keeps the block from being handed out. */
  hold(): void {
    this.#holds++;
  }

  /** Undoes a `hold()`; after the last one the block may be anybody's. */
  drop(): void {
    if (--this.#holds === 0) this.#class.free.push(this);
  }

  /** Shows a part of it in a buffer of its own, which can be emptied alone. */
  window(from: number, length: number): Uint8Array<ArrayBuffer> {
    if (this.region === null) return this.bytes.slice(from, from + length);
    return ownWindow(this.region, this.at + from, length);
  }

  /** Shows the whole block: for the library's own use, since nothing can take it back. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes ??= this.region?.bytes(this.at, this.size) ?? new Uint8Array(this.size);
  }
}

/** A pool of blocks. It never shrinks. */
export class Slabs {
  readonly #classes = new Map<string, SizeClass>();
  readonly #portable: boolean;
  #bytes = 0;

  /** Makes an empty pool; a portable one makes do with the JavaScript heap where there is nothing else. */
  constructor({ portable = false }: { portable?: boolean } = {}) {
    this.#portable = portable;
  }

  /** Bytes that the pool has taken from the system. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes a block, held once. Its memory holds whatever it held before.
   *
   * @param size Bytes, at least 1.
   * @param alignment Bytes, a power of two.
   * @param limit Bytes that the pool may take from the system.
   * @returns `undefined` when that is not enough.
   *
   * @throws {SyscallError} `ENOMEM`.
   */
  allocate(size: number, alignment: number, limit: number): Block | undefined {
    const wanted = this.#classFor(size, alignment);
    if (wanted.free.length === 0) this.#grow(wanted, limit);
    const { free } = wanted.free.length > 0 ? wanted : this.#larger(wanted) ?? wanted;
    const block = free.pop();
    block?.hold();
    return block;
  }

  #classFor(size: number, alignment: number): SizeClass {
    const length = roundUp(Math.max(size, LEAST), alignment);
    const own = length <= SLAB;
    const blockSize = own ? powerFrom(length) : coarse(length);
    const blockAlignment = own ? blockSize : Math.max(alignment, SLAB);
    const key = `${blockSize}/${blockAlignment}`;
    let found = this.#classes.get(key);
    if (found === undefined) {
      found = { size: blockSize, alignment: blockAlignment, free: [] };
      this.#classes.set(key, found);
    }
    return found;
  }

  #grow(sizeClass: SizeClass, limit: number): void {
    const { size, alignment, free } = sizeClass;
    const slab = Math.max(SLAB, size);
    if (this.#bytes + slab > limit) return;
    if (this.#portable && !available()) {
      free.push(new Block(null, 0, sizeClass));
      return;
    }
    const region = check(
      mapped(() => raw.posixMemalign(Math.max(SLAB, alignment), slab)),
      "posix_memalign",
      () => `allocate ${slab} bytes`,
    );
    // A child process that had these pages as well would make the kernel write into a copy of them:
    // open(2), NOTES. Where the system has no such advice it has no O_DIRECT either.
    raw.keepFromChildren(region);
    this.#bytes += slab;
    for (let at = slab - size; at >= 0; at -= size) free.push(new Block(region, at, sizeClass));
  }

  /** The smallest class that has a block to spare, where no new slab is allowed. */
  #larger({ size, alignment }: SizeClass): SizeClass | undefined {
    let best: SizeClass | undefined;
    for (const each of this.#classes.values()) {
      const fits = each.free.length > 0 && each.size >= size && each.alignment >= alignment;
      if (fits && each.size < (best?.size ?? Infinity)) best = each;
    }
    return best;
  }
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

function powerFrom(length: number): number {
  return 2 ** Math.ceil(Math.log2(length));
}

/** Four sizes to each power of two: at most a fifth of a large block is waste. */
function coarse(length: number): number {
  return roundUp(length, powerFrom(length) / 8);
}
