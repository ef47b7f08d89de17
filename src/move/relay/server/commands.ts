/** Data and commands that the main thread sends to the relaying threads. @module */

import type { Shares } from "../../../threads/fd_mailboxes.ts";
import type { DialAddress } from "../../../threads/loop/dial.ts";
import type { Counters } from "./counters.ts";

/** Start data of a relaying thread. Its first descriptor, if any, is a listener. */
export interface RelayJobData {
  /** Addresses to connect accepted connections to, in this order. */
  readonly upstreams: readonly DialAddress[];
  readonly connectMs: number;
  readonly idleMs: number;
  readonly counters: Counters;
  /** At index 0, the number of connections of all threads. */
  readonly total: Int32Array<SharedArrayBuffer>;
  readonly maxConnections: number;
  /** Whether a silent connection makes room for one more, because descriptors set the limit. */
  readonly sheds: boolean;
  /** Index of this thread. */
  readonly index: number;
  /** Whether to report each connection: see traces.ts. */
  readonly traced: boolean;
  /** `null` for a single thread. */
  readonly shares: Shares | null;
}

/** Bytes received before on one side of an adopted pair. */
export type Ahead = Uint8Array | undefined;

/** A command for one thread or for all. */
export type RelayCommand =
  /** Stops accepting; answered with 0 when no connection is left. */
  | { readonly type: "drain" }
  /** Relays between two sockets, whose descriptors the thread then owns; answered at the end. */
  | {
    readonly type: "adopt";
    readonly fds: readonly [first: number, second: number];
    /** Bytes already received on each, to be sent to the other first. */
    readonly ahead: readonly [Ahead, Ahead];
    /** Whether calls on one of them would block: such a socket is relayed by copying. */
    readonly blocking: boolean;
    readonly idleMs: number;
    readonly counters: Counters;
    /** ID of the pair for `cut`. */
    readonly pair: number;
  }
  /** Resets an adopted pair; answered with 0. */
  | { readonly type: "cut"; readonly pair: number };
