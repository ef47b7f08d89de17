/**
 * Memory by handle. Addresses never leave this folder, so no caller can hold a stale one.
 *
 * @module
 */

import { view } from "../../ffi/libc/mod.ts";
import { emptied, isWhole } from "../bytes.ts";
import { describe, integer } from "./arguments.ts";

/** The call that allocated the memory, which determines the call that frees it. */
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

/** Only {@linkcode adopt} fills this, so a region that you construct yourself is a closed one. */
const memories = new WeakMap<Region, Memory>();

const WINDOW_STEP = 2 ** 30;
/** Bun limits one buffer to 4 GiB. */
const WINDOW_LENGTH = 2 ** 32;

/**
 * Memory outside the JavaScript heap, from `mmap()` or `posixMemalign()`.
 *
 * The memory is never garbage-collected. It lives until you pass the region to `munmap()` or
 * `free()`, which detach every array that {@linkcode Region.bytes} returned. Late readers are then
 * safe. Operations that the runtime still runs on such an array in another thread (`fs.read`,
 * `zlib.gzip`) are not: await them first, or the process may crash. If you transfer a buffer with
 * `transfer()` or `postMessage()`, the region can no longer be freed.
 */
export class Region {
  /** Size in bytes; 0 once closed. */
  get length(): number {
    return memories.get(this)?.length ?? 0;
  }

  /** Whether the memory has been freed. */
  get closed(): boolean {
    return !memories.has(this);
  }

  /**
   * Returns a view of bytes of the region, without a copy.
   *
   * The memory's protection applies. Storing into a mapping without `Protection.WRITE`, or reading
   * past the end of a mapped file, kills the process.
   *
   * @param offset First byte. Default: 0.
   * @param length Bytes; at most 4 GiB on Bun. Default: to the end of the region.
   * @returns A view that is detached when the memory is freed.
   *
   * @throws {TypeError} When the region is closed.
   * @throws {RangeError} When the range is outside the region.
   */
  bytes(offset: number = 0, length: number = this.length - offset): Uint8Array<ArrayBuffer> {
    const memory = memoryOf(this);
    checkRange(memory, offset, length);
    // Bun refuses to show 0 bytes.
    if (length === 0) return new Uint8Array(0);
    const { start, buffer } = windowFor(memory, offset, length);
    return new Uint8Array(buffer, offset - start, length);
  }
}

/** Whether the region is open. Ignores what a subclass or a patched property says. */
export function isOpen(region: Region): boolean {
  return memories.has(region);
}

/** Size in bytes, 0 once closed. Ignores what a subclass or a patched property says. */
export function lengthOf(region: Region): number {
  return memories.get(region)?.length ?? 0;
}

/** Creates the handle of newly allocated memory. */
export function adopt(address: bigint, length: number, kind: RegionKind): Region {
  const region = new Region();
  memories.set(region, { address, length, kind, windows: [] });
  return region;
}

/** Address of a range that lies within an open region. */
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
 * Address of the first byte as a number: user addresses are below 2^53. For the kernel or another
 * thread of this process; keep the region open meanwhile.
 */
export function baseOf(region: Region): number {
  return Number(memoryOf(region).address);
}

/**
 * Shows a range in a separate buffer that can be detached alone. {@linkcode hide} does not know the
 * buffer, so use this only for regions that are never freed.
 */
export function ownWindow(
  region: Region,
  offset: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  return view(addressIn(region, offset, length, "posix_memalign"), length);
}

/**
 * Detaches every array that shows the region, so that its memory can be freed or moved.
 *
 * @throws {TypeError} When an array cannot be detached: the runtime uses it (Bun pins such a
 * buffer), it was marked as non-transferable, or it was transferred. The memory then stays.
 */
export function hide(region: Region, kind: RegionKind): void {
  const { windows } = memoryOf(region, kind);
  for (let window = windows.at(-1); window !== undefined; window = windows.at(-1)) {
    if (!isWhole(window.buffer, window.length)) {
      throw new TypeError("Cannot free a region: one of its buffers was transferred");
    }
    if (!emptied(window.buffer)) {
      throw new TypeError("Cannot free a region: the runtime is using one of its arrays");
    }
    windows.pop();
  }
}

/** Marks a region closed, after its arrays were detached and its memory freed or moved. */
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

/**
 * Finds or creates a window. Prefers few, long buffers, because each stays until the region closes.
 */
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
