/** What the relaying threads count, in memory that the thread of the user reads. @module */

/** Places in the counters of one thread. */
export const Count = {
  /** Connections taken. */
  ACCEPTED: 0,
  /** Connections closed at once because no descriptor was left. */
  REFUSED: 1,
  /** Connections whose upstream could not be reached. */
  UNREACHED: 2,
  /** Errno of the last of these. */
  LAST_ERRNO: 3,
  /** Connections cut by an error of either side. */
  BROKEN: 4,
  /** Connections ended because nothing moved on them. */
  IDLE: 5,
  /** Connections being relayed or being connected. */
  ACTIVE: 6,
  /** Bytes from those who connect to the upstream. */
  UP: 7,
  /** Bytes from the upstream to those who connect. */
  DOWN: 8,
  /** Pipes that are open. */
  PIPES: 9,
  /** 1 when bytes had to be copied; of single pairs only. */
  COPIED: 10,
  /** Connections reset to make room for others. */
  SHED: 11,
} as const;

const PLACES = 12;

/** Counters of one thread. One thread writes them, so that they need no atomic operation. */
export type Counters = Float64Array<SharedArrayBuffer>;

/** Makes counters, all 0. */
export function newCounters(): Counters {
  return new Float64Array(new SharedArrayBuffer(8 * PLACES));
}
