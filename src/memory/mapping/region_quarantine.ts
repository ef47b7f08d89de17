/**
 * Keeps the addresses of closed mappings reserved until no operation can use them.
 *
 * Detaching an array stops later accesses. It does not stop an operation that the runtime runs on
 * the memory in another thread: `zlib.gzip(map.bytes)` followed by munmap(2) crashes. So zero pages
 * replace a closed mapping, in one step, and its addresses stay reserved.
 *
 * Addresses are freed, oldest first, when many are waiting or none are left. A range is freed only
 * once all its buffers are detached and collected, and ten seconds have passed: every operation of
 * the three runtimes that uses a buffer in another thread keeps the buffer's object alive until it
 * ends. Until then, zero pages cost addresses, of which there are 128 TiB, and no memory.
 *
 * @module
 */

import { emptied } from "../../bytes.ts";
import { munmap } from "../../sys/raw/mod.ts";
import type { Region } from "../../sys/region.ts";
import type { Row } from "../fault_guard/table.ts";

/** Waiting ranges above which the oldest are freed. */
const MOST_RANGES = 256;
/** Waiting bytes above which the oldest are freed: 1/128 of the addresses of a process. */
const MOST_BYTES = 2 ** 40;
const SHORTEST_STAY_MS = 10_000;
/** Ranges examined when another arrives: more than one, so that the queue shrinks. */
const EXAMINED = 8;

interface Ward {
  readonly region: Region;
  row: Row | undefined;
  /** Buffers that are detached, but that an operation may still use. */
  readonly empty: WeakRef<ArrayBuffer>[];
  /** Buffers that Bun did not detach because an operation uses them. */
  pinned: ArrayBuffer[];
  since: number;
}

/** Waiting ranges, in order of arrival. */
const wards = new Set<Ward>();
let bytes = 0;

/**
 * Takes a region that zero pages have replaced.
 *
 * @param row Its row in the fault guard's table. An operation may have faulted just before the
 * replacement, and its handler may still read the row.
 * @param buffers All buffers that show the region; they are detached.
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

/** Frees the rows of waiting ranges when the table is full. */
export function giveUpRows(): void {
  for (const ward of wards) {
    ward.row?.release();
    ward.row = undefined;
  }
}

/** Waiting ranges and bytes of this thread. */
export function waiting(): { ranges: number; bytes: number } {
  return { ranges: wards.size, bytes };
}

/** Frees all ranges that it can, because addresses are needed. Returns whether it freed any. */
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
