/** Lists of memory for scatter and gather calls: `struct iovec[]`. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { addressOf } from "../../../ffi/libc/mod.ts";
import { isUint8Array, ownBytes, sizeOf } from "../../bytes.ts";
import { ownList } from "../../checked.ts";
import { addressIn, lengthOf, type Region } from "../region.ts";

/** Part of a region. */
export interface RegionRange {
  /** Memory that must stay allocated as long as the call documents. */
  readonly region: Region;
  /** First byte. @default {0} */
  readonly offset?: number;
  /** Bytes. @default {to the end of the region} */
  readonly length?: number;
}

/** Address of the list for the kernel. Valid until the next list is made. */
interface Iovecs {
  readonly address: bigint;
  readonly count: number;
}

const SIZE = 16;
const one = new Cell(SIZE);

/** Keeps the listed arrays alive: the collector ignores addresses. */
let held: Uint8Array | undefined;
const heldList: { arrays: readonly Uint8Array[] } = { arrays: [] };
let heldAddress = 0n;
let list = one;
let single: Iovecs | undefined;

/** Describes one array, cheaply if it is the same as in the last call, or several. */
export function iovecs(bytes: Uint8Array | readonly Uint8Array[]): Iovecs {
  if (isUint8Array(bytes)) {
    if (held !== bytes) {
      heldAddress = addressOf(ownBytes(bytes));
      held = bytes;
    }
    // A detached array keeps its identity but has no bytes.
    put(one, 0, heldAddress, sizeOf(bytes));
    return single ??= { address: one.address, count: 1 };
  }
  // No code of the caller runs between taking the first address and the call. A getter could
  // otherwise detach an array whose address is already in the list.
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

/** Copies ranges and fills in defaults; reads each property once. */
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
  // Written in two halves to avoid a bigint: see `pointer` in pipes.ts.
  cell.view.setUint32(index * SIZE + 8, length >>> 0, true);
  cell.view.setUint32(index * SIZE + 12, Math.floor(length / 0x1_0000_0000), true);
}
