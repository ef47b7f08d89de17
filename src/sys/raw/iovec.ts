/** Lists of memory for the calls that scatter and gather: `struct iovec[]`. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { addressOf } from "../../../ffi/libc/mod.ts";
import { sizeOf } from "../../bytes.ts";
import { addressIn, type Region } from "../region.ts";

/** A part of a region. */
export interface RegionRange {
  /** Memory that stays allocated for as long as the call says. */
  readonly region: Region;
  /** First byte. @default {0} */
  readonly offset?: number;
  /** Bytes. @default {the rest of the region} */
  readonly length?: number;
}

/** Where the kernel finds the list. Valid until the next one is made. */
interface Iovecs {
  readonly address: bigint;
  readonly count: number;
}

const SIZE = 16;
const one = new Cell(SIZE);

/** What the lists point to: memory that only an address refers to, the collector frees. */
let held: Uint8Array | readonly Uint8Array[] | undefined;
let heldAddress = 0n;
let list = one;
let single: Iovecs | undefined;

/** Describes one array, which costs nothing when it is the same one as before, or several. */
export function iovecs(bytes: Uint8Array | readonly Uint8Array[]): Iovecs {
  if (bytes instanceof Uint8Array) {
    if (held !== bytes) {
      heldAddress = addressOf(bytes);
      held = bytes;
    }
    // A detached array keeps its identity, and has no bytes any more.
    put(one, 0, heldAddress, sizeOf(bytes));
    return single ??= { address: one.address, count: 1 };
  }
  held = bytes;
  return listed(bytes, (item) => [addressOf(item), sizeOf(item)]);
}

/** Describes parts of regions. */
export function regionIovecs(ranges: readonly RegionRange[]): Iovecs {
  return listed(ranges, ({ region, offset = 0, length = region.length - offset }) => [
    addressIn(region, offset, length),
    length,
  ]);
}

function listed<T>(items: readonly T[], locate: (item: T) => [bigint, number]): Iovecs {
  list = new Cell(Math.max(1, items.length) * SIZE);
  items.forEach((item, index) => put(list, index, ...locate(item)));
  return { address: list.address, count: items.length };
}

function put(cell: Cell, index: number, address: bigint, length: number): void {
  cell.view.setBigUint64(index * SIZE, address, true);
  // In two halves, for no bigint is needed: see `pointer` in pipes.ts.
  cell.view.setUint32(index * SIZE + 8, length >>> 0, true);
  cell.view.setUint32(index * SIZE + 12, Math.floor(length / 0x1_0000_0000), true);
}
