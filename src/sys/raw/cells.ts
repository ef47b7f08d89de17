/**
 * Raw calls on memory of our own, for the loops that send and receive thousands of times a second:
 * nothing is allocated, neither for the memory's address nor for the counts.
 *
 * Not among the public raw calls, which take typed arrays and regions.
 *
 * @module
 */

import type { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { libc } from "../libc.ts";

/** Most bytes whose count is kept as a bigint. */
const KEPT = 4096;

const counts: bigint[] = [];
let lastCount = 0;
let lastBigCount = 0n;

/** `BigInt(count)`, without making the same one again and again. */
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
