/** Counters of the relaying threads, in memory that the main thread reads. @module */

/** Indexes into the counters of one thread. */
export const Count = {
  /** Connections accepted. */
  ACCEPTED: 0,
  /** Connections closed at once because no descriptor was left. */
  REFUSED: 1,
  /** Connections whose upstream could not be reached. */
  UNREACHED: 2,
  /** Errno of the last of these. */
  LAST_ERRNO: 3,
  /** Connections ended by an error of either side. */
  BROKEN: 4,
  /** Connections ended because they were idle. */
  IDLE: 5,
  /** Connections being relayed or connecting. */
  ACTIVE: 6,
  /** Bytes from clients to the upstream. */
  UP: 7,
  /** Bytes from the upstream to clients. */
  DOWN: 8,
  /** Open pipes. */
  PIPES: 9,
  /** 1 if bytes had to be copied; for single pairs only. */
  COPIED: 10,
  /** Connections reset to make room for others. */
  SHED: 11,
} as const;

const PLACES = 12;

/** Counters of one thread. Only that thread writes them, so they need no atomic operations. */
export type Counters = Float64Array<SharedArrayBuffer>;

/** Creates counters, all 0. */
export function newCounters(): Counters {
  return new Float64Array(new SharedArrayBuffer(8 * PLACES));
}
