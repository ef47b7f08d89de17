/** What `relay` takes and reports. @module */

import type { Socket } from "node:net";
import type { BunSocket } from "../../runtime/bun.ts";
import type { DenoConn } from "../../runtime/deno.ts";

/** What `relay()` can relay between; a descriptor is one of a stream socket. */
export type RelayTarget = Socket | BunSocket | DenoConn | number;

/** How far a relay has come. */
export interface RelayProgress {
  /** Bytes delivered, both directions together. */
  bytes: number;
  /** Bytes delivered from the first socket to the second. */
  bytesForth: number;
  /** Bytes delivered from the second socket to the first. */
  bytesBack: number;
}

/** How a relay is watched and stopped. */
export interface RelayOptions {
  /**
   * Time without a byte in either direction after which both sockets are closed, in milliseconds; 0
   * for never.
   *
   * @default {0}
   */
  idleTimeoutMs?: number | undefined;
  /** Resets both sockets. What has been delivered by then stands in the error's `bytesMoved`. */
  signal?: AbortSignal | undefined;
  /** Called every 100 ms while bytes move, and once at the end. */
  onProgress?: ((progress: RelayProgress) => void) | undefined;
}

/** What a finished relay reports. */
export interface RelayResult extends RelayProgress {
  /**
   * `"splice"`: the bytes never entered JavaScript. `"copy"`: some passed through it, because a
   * socket is encrypted, hides its descriptor, or is a descriptor that blocks, or because a peer
   * has sent an urgent byte (`MSG_OOB`), which is left out.
   */
  method: "splice" | "copy";
  /** Wall time from the call to the end of both directions, in milliseconds. */
  durationMs: number;
}

/** How a pair is relayed. */
export interface PairSettings {
  readonly idleMs: number;
  /** Kept up to date. */
  readonly progress: RelayProgress;
  readonly signal: AbortSignal | undefined;
}
