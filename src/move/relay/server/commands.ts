/** What the thread of the user tells the relaying threads. @module */

import type { Shares } from "../../../threads/fd_mailboxes.ts";
import type { DialAddress } from "../../../threads/loop/dial.ts";
import type { Counters } from "./counters.ts";

/** What a relaying thread is started with. Its first descriptor, if there is one, is a listener. */
export interface RelayJobData {
  /** Whom to connect to for whoever connects to the listener; tried in turn. */
  readonly upstreams: readonly DialAddress[];
  readonly connectMs: number;
  readonly idleMs: number;
  readonly counters: Counters;
  /** In place 0, connections of all threads. */
  readonly total: Int32Array<SharedArrayBuffer>;
  readonly maxConnections: number;
  /** Whether a silent connection makes room for one more, because descriptors set the limit. */
  readonly sheds: boolean;
  /** Which of the threads this one is. */
  readonly index: number;
  /** `null` for a single thread. */
  readonly shares: Shares | null;
}

/** Bytes that one side of an adopted pair has received before. */
export type Ahead = Uint8Array | undefined;

/** A command for one thread or for all. */
export type RelayCommand =
  /** Accepts no more; answered with 0 when no connection is left. */
  | { readonly type: "drain" }
  /** Relays between two sockets, whose descriptors become the thread's; answered at the end. */
  | {
    readonly type: "adopt";
    readonly fds: readonly [first: number, second: number];
    /** What was received from each of them already, to be sent to the other one first. */
    readonly ahead: readonly [Ahead, Ahead];
    /** Whether calls on one of them would wait: such a socket is read and written by copying. */
    readonly blocking: boolean;
    readonly idleMs: number;
    readonly counters: Counters;
    /** Number by which `cut` knows it. */
    readonly pair: number;
  }
  /** Resets an adopted pair; answered with 0. */
  | { readonly type: "cut"; readonly pair: number };
