/** What a relay tells about itself. @module */

import { errnoName } from "../../../errors.ts";
import { Count, type Counters } from "./counters.ts";

/** The answer of {@linkcode Relay.stats}: counts since it began, over all threads. */
export interface RelayStats {
  /** Connections open at the moment. */
  readonly active: number;
  /** Connections taken. */
  readonly accepted: number;
  /** Connections closed at once because no descriptor was left. */
  readonly refused: number;
  /** Connections reset to make room for others: nothing had moved on them, and no descriptor was left. */
  readonly shed: number;
  /** Connections reset because the upstream could not be reached. */
  readonly unreached: number;
  /** Why the last of them could not, such as `"ECONNREFUSED"`; `null` when there was none. */
  readonly lastConnectError: string | null;
  /** Connections cut because either side had reset its own, or was gone before it was connected. */
  readonly broken: number;
  /** Connections ended because nothing had moved for `idleTimeoutMs`. */
  readonly idle: number;
  /** Bytes delivered to the upstream. */
  readonly bytesUp: number;
  /** Bytes delivered to those who connected. */
  readonly bytesDown: number;
  /** Pipes that are open at the moment: idle connections have none. */
  readonly pipes: number;
}

/** Adds the counters of all threads up. */
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
