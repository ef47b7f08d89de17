/** Lists of memory for the calls that scatter and gather: `struct iovec[]`. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { addressOf } from "../../../ffi/libc/mod.ts";
import { isUint8Array, ownBytes, sizeOf } from "../../bytes.ts";
import { ownList } from "../../checked.ts";
import { addressIn, lengthOf, type Region } from "../region.ts";

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
let held: Uint8Array | undefined;
const heldList: { arrays: readonly Uint8Array[] } = { arrays: [] };
let heldAddress = 0n;
let list = one;
let single: Iovecs | undefined;

/** Describes one array, which costs nothing when it is the same one as before, or several. */
export function iovecs(bytes: Uint8Array | readonly Uint8Array[]): Iovecs {
  if (isUint8Array(bytes)) {
    if (held !== bytes) {
      heldAddress = addressOf(ownBytes(bytes));
      held = bytes;
    }
    // A detached array keeps its identity, and has no bytes any more.
    put(one, 0, heldAddress, sizeOf(bytes));
    return single ??= { address: one.address, count: 1 };
  }
  // No code of the caller runs between the first address and the call: what a getter does to an array
  // whose address is taken already, the kernel would not see.
  const own = ownList(bytes as readonly Uint8Array[]).map(ownBytes);
  heldList.arrays = own;
  return listed(own.map((item) => [addressOf(item), item.length]));
}

/** Describes parts of regions. */
export function regionIovecs(ranges: readonly RegionRange[]): Iovecs {
  return listed(
    ownRanges(ranges).map(({ region, offset, length }) => [
      addressIn(region, offset, length),
      length,
    ]),
  );
}

/** Copies ranges, with what they leave out: each property is read once. */
export function ownRanges(ranges: readonly RegionRange[]): Required<RegionRange>[] {
  return ownList(ranges).map(({ region, offset = 0, length = lengthOf(region) - offset }) => ({
    region,
    offset,
    length,
  }));
}

function listed(places: readonly (readonly [address: bigint, length: number])[]): Iovecs {
  list = new Cell(Math.max(1, places.length) * SIZE);
  places.forEach(([address, length], index) => put(list, index, address, length));
  return { address: list.address, count: places.length };
}

function put(cell: Cell, index: number, address: bigint, length: number): void {
  cell.view.setBigUint64(index * SIZE, address, true);
  // In two halves, for no bigint is needed: see `pointer` in pipes.ts.
  cell.view.setUint32(index * SIZE + 8, length >>> 0, true);
  cell.view.setUint32(index * SIZE + 12, Math.floor(length / 0x1_0000_0000), true);
}
