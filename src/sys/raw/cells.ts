/**
 * Raw calls on memory of the library, for loops that send and receive thousands of times a second.
 * They allocate nothing, neither for the address nor for the counts.
 *
 * Internal: the public raw calls take typed arrays and regions.
 *
 * @module
 */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { ENOSYS } from "../../errno.ts";
import { libc } from "../libc.ts";

/** Counts up to this are cached as bigints. */
const KEPT = 4096;

const counts: bigint[] = [];
let lastCount = 0;
let lastBigCount = 0n;

/** `BigInt(count)`, cached. */
function big(count: number): bigint {
  if (count < KEPT) return counts[count] ??= BigInt(count);
  if (count !== lastCount) {
    lastBigCount = BigInt(count);
    lastCount = count;
  }
  return lastBigCount;
}

/** Address of a byte of a cell. */
export function addressAt(cell: Cell, start: number): bigint {
  return start === 0 ? cell.address : cell.address + big(start);
}

/** `send(fd, cell + start, count, flags)`: bytes taken, or `-errno`. */
export function sendCell(
  fd: number,
  cell: Cell,
  start: number,
  count: number,
  flags: number,
): number {
  return sendAt(fd, addressAt(cell, start), count, flags);
}

/** `send(fd, address, count, flags)`: bytes taken, or `-errno`. */
export function sendAt(fd: number, address: bigint, count: number, flags: number): number {
  return fold(libc().sendto(fd, address, big(count), flags, 0n, 0));
}

/** `recv(fd, cell + start, count, flags)`: bytes received, 0 at the end, or `-errno`. */
export function recvCell(
  fd: number,
  cell: Cell,
  start: number,
  count: number,
  flags: number,
): number {
  return fold(libc().recvfrom(fd, addressAt(cell, start), big(count), flags, 0n, 0n));
}

/** `struct iovec` of {@linkcode preadCell}. */
const vector = new Cell(16);

/** `preadv2(fd, cell + start, count, offset, flags)`: bytes read, 0 at the end, or `-errno`. */
export function preadCell(
  fd: number,
  cell: Cell,
  start: number,
  count: number,
  offset: number,
  flags: number = 0,
): number {
  // pread(2) is bound to take a typed array; preadv2() with one piece and without flags is the same.
  vector.view.setBigUint64(0, addressAt(cell, start), true);
  vector.view.setBigUint64(8, big(count), true);
  return fold(libc().preadv2(fd, vector.address, 1, big(offset), flags));
}

const { getdents64 } = platform.unwrapped;

/**
 * `getdents64(fd, cell, length)`: bytes of `struct linux_dirent64` in the cell, 0 at the end, or
 * `-errno`; `-ENOSYS` on other systems.
 */
export function getdentsCell(fd: number, cell: Cell): number {
  if (getdents64 < 0) return ENOSYS;
  const size = big(cell.bytes.length);
  return fold(libc().syscall(BigInt(getdents64), BigInt(fd), cell.address, size, 0n, 0n, 0n));
}
