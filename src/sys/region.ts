/**
 * Memory by handle. Addresses stay in this folder: whoever holds none cannot use a stale one.
 *
 * @module
 */

import { view } from "../../ffi/libc/mod.ts";
import { emptied, isWhole } from "../bytes.ts";
import { describe, integer } from "./arguments.ts";

/** What allocated the memory, and so what gives it back. */
export type RegionKind = "mmap" | "posix_memalign";

interface Memory {
  readonly address: bigint;
  readonly length: number;
  readonly kind: RegionKind;
  readonly windows: Window[];
}

/** One buffer that shows a part of the memory. */
interface Window {
  readonly start: number;
  readonly length: number;
  readonly buffer: ArrayBuffer;
}

/** Whoever constructs a region by hand gets a closed one: only {@linkcode adopt} fills this. */
const memories = new WeakMap<Region, Memory>();

const WINDOW_STEP = 2 ** 30;
/** Bun shows at most 4 GiB in one buffer. */
const WINDOW_LENGTH = 2 ** 32;

/**
 * Memory outside the JavaScript heap, from `mmap()` or `posixMemalign()`.
 *
 * The memory is never collected: it lives until `munmap()` or `free()` takes the region, which
 * empties every array that {@linkcode Region.bytes} returned. That protects late readers, but not
 * operations that the runtime is still running on such an array in another thread (`fs.read`,
 * `zlib.gzip`): await those first, or the process may crash. Taking a buffer away with
 * `transfer()` or `postMessage()` makes the region impossible to give back.
 */
export class Region {
  /** Size in bytes; 0 once closed. */
  get length(): number {
    return memories.get(this)?.length ?? 0;
  }

  /** Whether the memory has been given back. */
  get closed(): boolean {
    return !memories.has(this);
  }

  /**
   * Shows bytes of the region, without a copy.
   *
   * The protection of the memory applies: storing into a mapping without `Protection.WRITE`, or
   * reading a file mapping past the end of its file, kills the process.
   *
   * @param offset First byte, in bytes. Default: 0.
   * @param length Bytes; at most 4 GiB on Bun. Default: the rest of the region.
   * @returns A view that becomes empty when the memory is given back.
   *
   * @throws {TypeError} When the region is closed.
   * @throws {RangeError} When the range is not inside the region.
   */
  bytes(offset: number = 0, length: number = this.length - offset): Uint8Array<ArrayBuffer> {
    const memory = memoryOf(this);
    checkRange(memory, offset, length);
    // Bun refuses to show nothing.
    if (length === 0) return new Uint8Array(0);
    const { start, buffer } = windowFor(memory, offset, length);
    return new Uint8Array(buffer, offset - start, length);
  }
}

/** Whether the memory has not been given back, whatever the handle says itself. */
export function isOpen(region: Region): boolean {
  return memories.has(region);
}

/** Size in bytes, whatever the handle says itself; 0 once closed. */
export function lengthOf(region: Region): number {
  return memories.get(region)?.length ?? 0;
}

/** Makes the handle of memory that was just allocated. */
export function adopt(address: bigint, length: number, kind: RegionKind): Region {
  const region = new Region();
  memories.set(region, { address, length, kind, windows: [] });
  return region;
}

/** Address of a range that is wholly inside an open region. */
export function addressIn(
  region: Region,
  offset: number,
  length: number,
  kind?: RegionKind,
): bigint {
  const memory = memoryOf(region, kind);
  checkRange(memory, offset, length);
  return memory.address + BigInt(offset);
}

/**
 * Address of the first byte, as a number: user addresses stay below 2^53. For what the kernel or
 * another thread of this process is told by number; the region must stay open meanwhile.
 */
export function baseOf(region: Region): number {
  return Number(memoryOf(region).address);
}

/**
 * Shows a range in a buffer of its own, which can be emptied alone: {@linkcode hide} knows nothing of
 * it, so this is for regions that are never given back.
 */
export function ownWindow(
  region: Region,
  offset: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  return view(addressIn(region, offset, length, "posix_memalign"), length);
}

/**
 * Empties every array that shows the region, so that its memory can be given back or moved.
 *
 * @throws {TypeError} When one cannot be emptied, because the runtime is using it (Bun pins such a
 * buffer), it was marked as not to be transferred, or it was transferred and is now out of sight. The
 * memory then stays.
 */
export function hide(region: Region, kind: RegionKind): void {
  const { windows } = memoryOf(region, kind);
  for (let window = windows.at(-1); window !== undefined; window = windows.at(-1)) {
    if (!isWhole(window.buffer, window.length)) {
      throw new TypeError("Cannot give back a region: one of its buffers was transferred away");
    }
    if (!emptied(window.buffer)) {
      throw new TypeError("Cannot give back a region: the runtime is using one of its arrays");
    }
    windows.pop();
  }
}

/** Marks a region closed. Its memory must be hidden, and given back or handed to another region. */
export function close(region: Region): void {
  memories.delete(region);
}

function memoryOf(region: Region, kind?: RegionKind): Memory {
  const memory = memories.get(region);
  if (memory === undefined) {
    throw new TypeError(
      region instanceof Region
        ? "Cannot use a region: it is closed"
        : `Cannot use ${describe(region)} as a region: expected a Region`,
    );
  }
  if (kind !== undefined && kind !== memory.kind) {
    throw new TypeError(`Cannot use a region of ${memory.kind}(): expected one of ${kind}()`);
  }
  return memory;
}

function checkRange(memory: Memory, offset: number, length: number): void {
  integer(offset, "offset", 0, memory.length);
  integer(length, "length", 0, memory.length - offset);
}

/** Few buffers, each as long as can be, because each stays until the region is closed. */
function windowFor(memory: Memory, offset: number, length: number): Window {
  const end = offset + length;
  for (const window of memory.windows) {
    if (window.start <= offset && end <= window.start + window.length) return window;
  }
  const start = Math.floor(offset / WINDOW_STEP) * WINDOW_STEP;
  const size = Math.max(end, Math.min(memory.length, start + WINDOW_LENGTH)) - start;
  const { buffer } = view(memory.address + BigInt(start), size);
  const window = { start, length: size, buffer };
  memory.windows.push(window);
  return window;
}
