/** Raw calls on memory. They take and return regions, and check ranges. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { errnoNumber } from "../../errors.ts";
import { libc } from "../libc.ts";
import { sizeOf } from "../../bytes.ts";
import { addressIn, adopt, close, hide, isOpen, lengthOf, Region } from "../region.ts";

const pointer = new Cell(8);

let size = 0;

/** `getpagesize()`, in bytes. */
export function pageSize(): number {
  return size ||= libc().getpagesize();
}

/** `mmap(NULL, length, protection, flags, fd, offset)`: the region, or `-errno`. */
export function mmap(
  length: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
): Region | number {
  const size = BigInt(length);
  const address = libc().mmap(0n, size, protection, flags, fd, BigInt(offset));
  const result = fold(address);
  return result < 0 ? result : adopt(BigInt(address), Number(size), "mmap");
}

/** `munmap(region, region.length)`. Throws if an array of the region is in use. */
export function munmap(region: Region): number {
  const length = lengthOf(region);
  if (region instanceof Region && !isOpen(region)) return 0;
  const address = addressIn(region, 0, length, "mmap");
  hide(region, "mmap");
  const result = fold(libc().munmap(address, BigInt(length)));
  if (result === 0) close(region);
  return result;
}

/**
 * `mremap(region, region.length, length, flags)`: the new region, or `-errno` and the old one
 * stays.
 */
export function mremap(region: Region, length: number, flags: number): Region | number {
  const before = lengthOf(region);
  const size = BigInt(length);
  const old = addressIn(region, 0, before, "mmap");
  hide(region, "mmap");
  const address = libc().mremap(old, BigInt(before), size, flags, 0n);
  const result = fold(address);
  if (result < 0) return result;
  close(region);
  return adopt(BigInt(address), Number(size), "mmap");
}

/** `mprotect(region + offset, length, protection)`. */
export function mprotect(
  region: Region,
  offset: number,
  length: number,
  protection: number,
): number {
  const address = addressIn(region, offset, length, "mmap");
  return fold(libc().mprotect(address, BigInt(length), protection));
}

/** `msync(region + offset, length, flags)`. */
export function msync(region: Region, offset: number, length: number, flags: number): number {
  const address = addressIn(region, offset, length, "mmap");
  return fold(libc().msync(address, BigInt(length), flags));
}

/** `madvise(region + offset, length, advice)`. */
export function madvise(region: Region, offset: number, length: number, advice: number): number {
  const address = addressIn(region, offset, length, "mmap");
  return fold(libc().madvise(address, BigInt(length), advice));
}

/**
 * `mincore(region + offset, length, target)`: bit 0 of each byte says whether a page is resident.
 */
export function mincore(
  region: Region,
  offset: number,
  length: number,
  target: Uint8Array,
): number {
  const address = addressIn(region, offset, length, "mmap");
  const pages = Math.ceil(length / pageSize());
  const room = sizeOf(target);
  if (room < pages) {
    throw new RangeError(`Cannot report ${pages} pages into ${room} bytes`);
  }
  return fold(libc().mincore(address, BigInt(length), target));
}

/** `mlock(region + offset, length)`. */
export function mlock(region: Region, offset: number, length: number): number {
  return fold(libc().mlock(addressIn(region, offset, length, "mmap"), BigInt(length)));
}

/** `munlock(region + offset, length)`. */
export function munlock(region: Region, offset: number, length: number): number {
  return fold(libc().munlock(addressIn(region, offset, length, "mmap"), BigInt(length)));
}

/** `posix_memalign(&region, alignment, size)`: the region, or `-errno`. */
export function posixMemalign(alignment: number, size: number): Region | number {
  const bytes = BigInt(size);
  const result = libc().posix_memalign(pointer.bytes, BigInt(alignment), bytes);
  // The C function returns the errno itself.
  if (result !== 0) return result > 0 ? -result : fold(result);
  return adopt(pointer.view.getBigUint64(0, true), Number(bytes), "posix_memalign");
}

/**
 * `madvise(region, region.length, MADV_DONTFORK)` on allocated memory that fills whole pages:
 * partly filled pages would hold other data. Linux only; `-EINVAL` elsewhere.
 */
export function keepFromChildren(region: Region): number {
  return adviseAllocated(region, platform.memoryAdvice.DONTFORK);
}

/** The same with `MADV_HUGEPAGE`. */
export function useHugePages(region: Region): number {
  return adviseAllocated(region, platform.memoryAdvice.HUGEPAGE);
}

function adviseAllocated(region: Region, advice: number): number {
  const length = lengthOf(region);
  const address = addressIn(region, 0, length, "posix_memalign");
  if (Number(address) % pageSize() !== 0 || length % pageSize() !== 0) {
    return -errnoNumber("EINVAL");
  }
  return fold(libc().madvise(address, BigInt(length), advice));
}

/** `free(region)`; 0. Throws if an array of the region is in use. */
export function free(region: Region): number {
  const length = lengthOf(region);
  if (region instanceof Region && !isOpen(region)) return 0;
  const address = addressIn(region, 0, length, "posix_memalign");
  hide(region, "posix_memalign");
  libc().free(address);
  close(region);
  return 0;
}
