/** Socket options that a transfer sets on a connection: see tcp(7). @module */

import { platform } from "../../ffi/platform/mod.ts";
import * as raw from "../sys/raw/mod.ts";
import type { RuntimeConnection } from "./types.ts";

/** `SOL_TCP`, which equals `IPPROTO_TCP`. */
export const SOL_TCP = 6;
/** `TCP_NODELAY` */
export const TCP_NODELAY = 1;
const TCP_NOTSENT_LOWAT = 25;
const TCP_INFO = 11;
/** Offsets in `struct tcp_info` of linux/tcp.h (4.19). */
const NOTSENT_AT = 144;
const SENT_AT = 200;
const RESENT_AT = 208;
const INFO_BYTES = 216;

/**
 * Unsent bytes in the kernel above which the socket counts as full.
 *
 * Without a limit, a 4 MB send buffer fills at once. A slow reader then shows no progress for
 * minutes, and idle timers cut live connections. With a limit, a fast reader costs the sender more
 * CPU time, because acknowledgements then find nothing more to send. So it applies only to
 * connections whose progress is watched: see `npm run bench -- serve`.
 */
const NOTSENT_BYTES = 128 * 1024;

/**
 * A cork: header, file and trailer leave in full segments, by `TCP_CORK`.
 *
 * It ends when the first call does not take everything. Corking a long transfer to its end costs
 * more CPU time, because the kernel then waits for full segments of 64 KiB between any two calls.
 */
export class CorkGuard {
  readonly #connection: RuntimeConnection;
  #corked: boolean;

  /** Starts a cork; does nothing on sockets other than TCP. */
  constructor(connection: RuntimeConnection) {
    this.#connection = connection;
    const fd = connection.fd();
    this.#corked = fd >= 0 && raw.setsockopt(fd, SOL_TCP, platform.socket.TCP_CORK, 1) === 0;
  }

  /** Lets partial segments leave. A second call does nothing. */
  end(): void {
    if (!this.#corked) return;
    this.#corked = false;
    // Ask again: the number may belong to another connection by now.
    const fd = this.#connection.fd();
    if (fd >= 0) raw.setsockopt(fd, SOL_TCP, platform.socket.TCP_CORK, 0);
  }
}

const info = new DataView(new ArrayBuffer(INFO_BYTES));
const infoBytes = new Uint8Array(info.buffer);

/** Bytes that a TCP connection was given since it began, modulo 2^32; -1 if the kernel does not tell. */
export function bytesGiven(fd: number): number {
  if (raw.getsockoptBytes(fd, SOL_TCP, TCP_INFO, infoBytes) < INFO_BYTES) return -1;
  const sent = info.getUint32(SENT_AT, true) - info.getUint32(RESENT_AT, true);
  return sent + info.getUint32(NOTSENT_AT, true) >>> 0;
}

/** Limits the unsent bytes in the kernel. Fails harmlessly on sockets other than TCP. */
export function limitUnsent(fd: number): void {
  raw.setsockopt(fd, SOL_TCP, TCP_NOTSENT_LOWAT, NOTSENT_BYTES);
}
