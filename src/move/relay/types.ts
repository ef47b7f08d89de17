/** Options and results of `relay`. @module */

import type { Socket } from "node:net";
import type { BunSocket } from "../../runtime/bun.ts";
import type { DenoConn } from "../../runtime/deno.ts";

/** A target of `relay()`; a descriptor must be a stream socket. */
export type RelayTarget = Socket | BunSocket | DenoConn | number;

/** Progress of a relay. */
export interface RelayProgress {
  /** Bytes delivered, both directions together. */
  bytes: number;
  /** Bytes delivered from the first socket to the second. */
  bytesForth: number;
  /** Bytes delivered from the second socket to the first. */
  bytesBack: number;
}

/** Options of `relay()`. */
export interface RelayOptions {
  /**
   * Milliseconds without a byte in either direction after which both sockets are closed; 0 for
   * never.
   *
   * @default {0}
   */
  idleTimeoutMs?: number | undefined;
  /** Resets both sockets. The error's `bytesMoved` counts the bytes delivered by then. */
  signal?: AbortSignal | undefined;
  /** Called every 100 ms while bytes move, and once at the end. */
  onProgress?: ((progress: RelayProgress) => void) | undefined;
}

/** Result of a relay. */
export interface RelayResult extends RelayProgress {
  /**
   * `"splice"`: the bytes never entered JavaScript. `"copy"`: some passed through JavaScript,
   * because a socket is encrypted, hides its descriptor or is a blocking descriptor, or because a
   * peer has sent an urgent byte (`MSG_OOB`), which is dropped.
   */
  method: "splice" | "copy";
  /** Wall time from the call to the end of both directions, in milliseconds. */
  durationMs: number;
}

/** Settings of one pair. */
export interface PairSettings {
  readonly idleMs: number;
  /** Updated while the relay runs. */
  readonly progress: RelayProgress;
  readonly signal: AbortSignal | undefined;
}
