/**
 * Aligned memory in slabs that are kept forever. Whatever happens to a view, an operation or a
 * thread, the system never gives one of these addresses to another owner.
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

/** Bytes of a slab that holds several blocks, each aligned to its own size: one huge page of x64. */
const SLAB = 2 * 1024 * 1024;

/** Smallest blocks in huge pages: see docs/decisions/40-huge-pages-for-devices.md. */
const LEAST_IN_HUGE_PAGES = 64 * 1024;

/** What blocks of one size share. */
interface SizeClass {
  /** Bytes of a block. */
  readonly size: number;
  /** Alignment of their addresses, in bytes. */
  readonly alignment: number;
  readonly free: Block[];
}

/** Piece of a slab. Several operations may hold it at once. */
export class Block {
  /** Region of the block; null for memory in the JavaScript heap. */
  readonly region: Region | null;
  /** First byte within the region. */
  readonly at: number;
  readonly #class: SizeClass;
  #holds = 0;
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  /** Called by {@linkcode Slabs} only. */
  constructor(region: Region | null, at: number, sizeClass: SizeClass) {
    this.region = region;
    this.at = at;
    this.#class = sizeClass;
  }

  /** Bytes; at least the size requested. */
  get size(): number {
    return this.#class.size;
  }

  /** Number of current holders. */
  get holds(): number {
    return this.#holds;
  }

  /** Keeps the block from being reused. */
  hold(): void {
    this.#holds++;
  }

  /** Undoes a `hold()`. After the last one, the block may be reused. */
  drop(): void {
    if (--this.#holds === 0) this.#class.free.push(this);
  }

  /** Shows a part of the block in a separate buffer, which can be detached alone. */
  window(from: number, length: number): Uint8Array<ArrayBuffer> {
    if (this.region === null) return this.bytes.slice(from, from + length);
    return ownWindow(this.region, this.at + from, length);
  }

  /** Shows the whole block. For internal use: nothing can take this view back. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes ??= this.region?.bytes(this.at, this.size) ?? new Uint8Array(this.size);
  }
}

/** A pool of blocks. It never shrinks. */
export class Slabs {
  readonly #classes = new Map<string, SizeClass>();
  readonly #portable: boolean;
  #bytes = 0;

  /**
   * Creates an empty pool. A portable one falls back to the JavaScript heap without foreign calls.
   */
  constructor({ portable = false }: { portable?: boolean } = {}) {
    this.#portable = portable;
  }

  /** Bytes that the pool has taken from the system. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes a block, held once. Its content is arbitrary.
   *
   * @param size Bytes, at least 1.
   * @param alignment Bytes, a power of two.
   * @param limit Bytes that the pool may take from the system in total.
   * @returns `undefined` when `limit` is too low.
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
    // If a child process shared these pages, the kernel would write into a copy of them: open(2),
    // NOTES. Systems without this advice have no O_DIRECT either.
    raw.keepFromChildren(region);
    if (size >= LEAST_IN_HUGE_PAGES) raw.useHugePages(region);
    this.#bytes += slab;
    for (let at = slab - size; at >= 0; at -= size) free.push(new Block(region, at, sizeClass));
  }

  /** Smallest class that has a free block, for when `limit` allows no new slab. */
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

/** Rounds to four sizes per power of two, so at most a fifth of a large block is wasted. */
function coarse(length: number): number {
  return roundUp(length, powerFrom(length) / 8);
}
