/**
 * Calls on memory of another thread of this process, by address. Internal: whoever passes an
 * address must keep its memory allocated.
 *
 * @module
 */

import { Cell } from "../../ffi/libc/cell.ts";
import { fold } from "../../ffi/libc/mod.ts";
import { libc } from "./libc.ts";

const iovec = new Cell(16);
const HIGH = 0x1_0000_0000;

/** `preadv2(fd, [{ address, length }], 1, offset, flags)`. */
export function readPlace(
  fd: number,
  address: number,
  length: number,
  offset: number,
  flags: number,
): number {
  describe(address, length);
  return fold(libc().preadv2(fd, iovec.address, 1, BigInt(offset), flags));
}

/** `pwritev2(fd, [{ address, length }], 1, offset, flags)`. */
export function writePlace(
  fd: number,
  address: number,
  length: number,
  offset: number,
  flags: number,
): number {
  describe(address, length);
  return fold(libc().pwritev2(fd, iovec.address, 1, BigInt(offset), flags));
}

function describe(address: number, length: number): void {
  iovec.view.setUint32(0, address, true);
  iovec.view.setUint32(4, address / HIGH, true);
  iovec.view.setUint32(8, length, true);
  iovec.view.setUint32(12, length / HIGH, true);
}
