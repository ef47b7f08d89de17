/**
 * Raw calls on memory of the library, for loops that send and receive thousands of times a second.
 * They allocate nothing, neither for the address nor for the counts.
 *
 * Internal: the public raw calls take typed arrays and regions.
 *
 * @module
 */

import type { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
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

/** `send(fd, cell + start, count, flags)`: bytes taken, or `-errno`. */
export function sendCell(
  fd: number,
  cell: Cell,
  start: number,
  count: number,
  flags: number,
): number {
  const address = start === 0 ? cell.address : cell.address + big(start);
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
  const address = start === 0 ? cell.address : cell.address + big(start);
  return fold(libc().recvfrom(fd, address, big(count), flags, 0n, 0n));
}
