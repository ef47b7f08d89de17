/** Socket options that a transfer sets on a connection, by number: see tcp(7). @module */

import { platform } from "../../ffi/platform/mod.ts";
import * as raw from "../sys/raw/mod.ts";
import type { RuntimeConnection } from "./types.ts";

/** `SOL_TCP`, which is `IPPROTO_TCP`. */
export const SOL_TCP = 6;
/** `TCP_NODELAY` */
export const TCP_NODELAY = 1;
const TCP_NOTSENT_LOWAT = 25;

/**
 * Bytes that may wait unsent in the kernel before the socket counts as full.
 *
 * Without a limit a 4 MB send buffer fills at once and a slow reader makes no visible progress for
 * minutes, so that idle timers cut connections which are alive. With one, a fast reader costs more
 * of the sender's CPU time: 0.22 to 0.34 against 0.15 to 0.19 s/GB on loopback (measured), because
 * acknowledgements then find nothing more to send. So it is for those whose progress is watched.
 */
const NOTSENT_BYTES = 128 * 1024;

/**
 * A cork: header, file and trailer that leave in full segments, by `TCP_CORK`.
 *
 * It ends when the first call does not take everything. A long transfer corked to its end costs
 * 40 % more CPU on loopback (measured: 0.37 against 0.26 s/GB), because the kernel then waits for
 * full segments of 64 KiB between any two calls.
 */
export class CorkGuard {
  readonly #connection: RuntimeConnection;
  #corked: boolean;

  /** Begins a cork; does nothing on what is not TCP. */
  constructor(connection: RuntimeConnection) {
    this.#connection = connection;
    const fd = connection.fd();
    this.#corked = fd >= 0 && raw.setsockopt(fd, SOL_TCP, platform.socket.TCP_CORK, 1) === 0;
  }

  /** Lets partial segments go. A second call does nothing. */
  end(): void {
    if (!this.#corked) return;
    this.#corked = false;
    // Asked anew: in the meantime the number may have become another connection's.
    const fd = this.#connection.fd();
    if (fd >= 0) raw.setsockopt(fd, SOL_TCP, platform.socket.TCP_CORK, 0);
  }
}

/** Limits what waits unsent in the kernel. Fails harmlessly on anything but TCP. */
export function limitUnsent(fd: number): void {
  raw.setsockopt(fd, SOL_TCP, TCP_NOTSENT_LOWAT, NOTSENT_BYTES);
}
