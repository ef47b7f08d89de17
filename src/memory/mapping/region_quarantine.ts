/**
 * Where the addresses of closed mappings wait until nobody can be using them any more.
 *
 * An array that is emptied protects those who come later. It does not stop an operation that the
 * runtime is running on the memory in another thread: `zlib.gzip(map.bytes)` and then munmap(2) is a
 * crash. So a closed mapping is replaced by zero pages, in one step, and its addresses stay taken.
 *
 * They are given back, oldest first, when many are waiting or no addresses are left, and each only when all its buffers are
 * empty and collected, and ten seconds have passed: every operation of the three runtimes that reads
 * or writes a buffer from another thread keeps the buffer's object alive until it has ended. Until then zero pages cost
 * addresses, of which there are 128 TiB, and no memory.
 *
 * @module
 */

import { emptied } from "../../bytes.ts";
import { munmap } from "../../sys/raw/mod.ts";
import type { Region } from "../../sys/region.ts";
import type { Row } from "../fault_guard/table.ts";

/** Ranges that may wait before the first is given back. */
const MOST_RANGES = 256;
/** Bytes that may wait before the first range is given back: 1/128 of what a process has. */
const MOST_BYTES = 2 ** 40;
const SHORTEST_STAY_MS = 10_000;
/** Ranges that are examined when another one arrives: more than arrive, so that none piles up. */
const EXAMINED = 8;

interface Ward {
  readonly region: Region;
  row: Row | undefined;
  /** Buffers that are empty, and may still be known to an operation. */
  readonly empty: WeakRef<ArrayBuffer>[];
  /** Buffers that Bun would not empty, because an operation is using them. */
  pinned: ArrayBuffer[];
  since: number;
}

/** In the order of their arrival. */
const wards = new Set<Ward>();
let bytes = 0;

/**
 * Takes a region that has been replaced by zero pages.
 *
 * @param row Its row in the table of the fault guard: an operation may have faulted right before the
 * zeroes were there, and its handler still be looking.
 * @param buffers All buffers that show it; they are emptied.
 */
export function quarantine(
  region: Region,
  row: Row | undefined,
  buffers: readonly ArrayBuffer[],
): void {
  const pinned = buffers.filter((buffer) => !emptied(buffer));
  wards.add({
    region,
    row,
    empty: buffers.filter((buffer) => !pinned.includes(buffer)).map((each) => new WeakRef(each)),
    pinned,
    since: performance.now(),
  });
  bytes += region.length;
  if (wards.size > MOST_RANGES || bytes > MOST_BYTES) sweep();
}

/** Gives up the rows of those who wait, when the table is full. */
export function giveUpRows(): void {
  for (const ward of wards) {
    ward.row?.release();
    ward.row = undefined;
  }
}

/** What waits in this thread. */
export function waiting(): { ranges: number; bytes: number } {
  return { ranges: wards.size, bytes };
}

/** Gives back all that can be, because addresses are needed. Returns whether that was any. */
export function giveBack(): boolean {
  return sweep(wards.size);
}

function sweep(most = EXAMINED): boolean {
  const now = performance.now();
  let examined = 0;
  let found = false;
  for (const ward of wards) {
    if (now - ward.since < SHORTEST_STAY_MS || examined++ === most) return found;
    wards.delete(ward);
    if (unused(ward)) {
      release(ward);
      found = true;
    } else {
      ward.since = now;
      wards.add(ward);
    }
  }
  return found;
}

function unused(ward: Ward): boolean {
  ward.pinned = ward.pinned.filter((buffer) => {
    if (!emptied(buffer)) return true;
    ward.empty.push(new WeakRef(buffer));
    return false;
  });
  return ward.pinned.length === 0 && ward.empty.every((buffer) => buffer.deref() === undefined);
}

function release({ region, row }: Ward): void {
  bytes -= region.length;
  row?.release();
  munmap(region);
}
