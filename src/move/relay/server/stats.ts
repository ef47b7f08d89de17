/** Statistics of a relay. @module */

import { errnoName } from "../../../errors.ts";
import { Count, type Counters } from "./counters.ts";

/** Result of {@linkcode Relay.stats}: counts since the start, over all threads. */
export interface RelayStats {
  /** Currently open connections. */
  readonly active: number;
  /** Accepted connections. */
  readonly accepted: number;
  /** Connections closed at once because no descriptor was left. */
  readonly refused: number;
  /** Connections reset to make room for others: nothing had moved on them, and no descriptor was left. */
  readonly shed: number;
  /** Connections reset because the upstream could not be reached. */
  readonly unreached: number;
  /** Error of the last failed connect, such as `"ECONNREFUSED"`; `null` if there was none. */
  readonly lastConnectError: string | null;
  /** Connections ended because a side sent a reset, or because the client disconnected early. */
  readonly broken: number;
  /** Connections closed because nothing had moved for `idleTimeoutMs`. */
  readonly idle: number;
  /** Bytes delivered to the upstream. */
  readonly bytesUp: number;
  /** Bytes delivered to clients. */
  readonly bytesDown: number;
  /** Currently open pipes: idle connections have none. */
  readonly pipes: number;
}

/** Sums the counters of all threads. */
export function sumUp(threads: readonly Counters[]): RelayStats {
  const sum = (place: number) => threads.reduce((total, counters) => total + counters[place]!, 0);
  const errno = threads.find((counters) => counters[Count.LAST_ERRNO] !== 0)?.[Count.LAST_ERRNO];
  return {
    active: sum(Count.ACTIVE),
    accepted: sum(Count.ACCEPTED),
    refused: sum(Count.REFUSED),
    shed: sum(Count.SHED),
    unreached: sum(Count.UNREACHED),
    lastConnectError: errno === undefined ? null : errnoName(errno),
    broken: sum(Count.BROKEN),
    idle: sum(Count.IDLE),
    bytesUp: sum(Count.UP),
    bytesDown: sum(Count.DOWN),
    pipes: sum(Count.PIPES),
  };
}
