/**
 * Raw calls that replace one mapping by another in place, which needs an address.
 *
 * Internal. A range always lies inside a region, so no other memory is replaced. No call here
 * unmaps anything, so threads that still use the memory get no signal.
 *
 * @module
 */

import { Cell } from "../../../ffi/libc/cell.ts";
import { addressOf, fold, view } from "../../../ffi/libc/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { sizeOf } from "../../bytes.ts";
import { libc } from "../libc.ts";
import { addressIn, type Region } from "../region.ts";

const { ANONYMOUS, FIXED, NORESERVE, PRIVATE } = platform.map;
const READ_WRITE = 3;
// MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP
const MOVE_AND_STAY = 7;
/** `MLOCK_ONFAULT`: locks the pages present now, and the others when they are faulted in. */
const ON_FAULT = 1;

// Two `struct iovec`: the target and the source.
const vectors = new Cell(32);

/**
 * `mmap(region + offset, length, READ | WRITE, FIXED | PRIVATE | ANONYMOUS | NORESERVE)`: zeroes.
 */
export function layZeroes(region: Region, offset: number, length: number): number {
  return mapOver(region, offset, length, READ_WRITE, PRIVATE | ANONYMOUS | NORESERVE, -1, 0);
}

/** `mmap(region + offset, length, protection, FIXED | flags, fd, fileOffset)`; 0 or `-errno`. */
export function mapOver(
  region: Region,
  offset: number,
  length: number,
  protection: number,
  flags: number,
  fd: number,
  fileOffset: number,
): number {
  const address = addressIn(region, offset, length, "mmap");
  const size = BigInt(length);
  const result = fold(
    libc().mmap(address, size, protection, flags | FIXED, fd, BigInt(fileOffset)),
  );
  return Math.min(0, result);
}

/**
 * `mremap()` of a range of one region over the same range of another, with its private pages; the
 * old addresses stay mapped. 0 or `-errno`: `EINVAL` before Linux 5.13, `EFAULT` for several
 * mappings.
 */
export function moveOver(from: Region, to: Region, offset: number, length: number): number {
  const source = addressIn(from, offset, length, "mmap");
  const target = addressIn(to, offset, length, "mmap");
  const size = BigInt(length);
  return Math.min(0, fold(libc().mremap(source, size, size, MOVE_AND_STAY, target)));
}

/**
 * `process_vm_readv(self, region + offset, target)`: bytes copied, or `-errno`. Stops before the
 * first page past the end of the file, where a load would raise SIGBUS.
 */
export function readFrom(
  pid: number,
  region: Region,
  offset: number,
  target: Uint8Array,
): number {
  return copyFrom(pid, addressIn(region, offset, sizeOf(target), "mmap"), target);
}

/**
 * Like {@linkcode readFrom}, from an address that the system reported; `EFAULT` if it is not
 * mapped.
 */
export function copyFrom(pid: number, source: bigint, target: Uint8Array): number {
  const length = BigInt(sizeOf(target));
  if (length === 0n) return 0;
  vectors.view.setBigUint64(0, addressOf(target), true);
  vectors.view.setBigUint64(8, length, true);
  vectors.view.setBigUint64(16, source, true);
  vectors.view.setBigUint64(24, length, true);
  const { address } = vectors;
  return fold(libc().process_vm_readv(pid, address, 1n, address + 16n, 1n, 0n));
}

/** `memmem(bytes, length, needle, needle.length)`: offset of the first match, or -1. */
export function findIn(bytes: Cell, length: number, needle: Cell): number {
  const { address } = bytes;
  const size = BigInt(needle.bytes.length);
  const found = BigInt(libc().memmem(address, BigInt(length), needle.address, size));
  return found === 0n ? -1 : Number(found - address);
}

/** `mlock2(region + offset, length, MLOCK_ONFAULT)`: makes no private copies, as mlock(2) would. */
export function lockOnFault(region: Region, offset: number, length: number): number {
  const address = addressIn(region, offset, length, "mmap");
  return fold(libc().mlock2(address, BigInt(length), ON_FAULT));
}

/** Shows a part of a region in a buffer that the region does not track. */
export function show(region: Region, offset: number, length: number): ArrayBuffer {
  return view(addressIn(region, offset, length, "mmap"), length).buffer;
}
