/** The maximum rate of one connection, which the kernel keeps. @module */

import { limitUnsent } from "../../../runtime/tcp.ts";
import { SocketLevel, SocketOption } from "../../../sys/flags/socket.ts";
import * as raw from "../../../sys/raw/mod.ts";
import type { Rate } from "../control/limits.ts";

/** `~0` in the kernel's eyes. */
const UNLIMITED = -1;

/** Limits the rate of a connection, after the first bytes of each response. */
export class RateLimit {
  /** Bytes that may still leave at full speed; `Infinity` once the limit applies. */
  left: number = Infinity;
  readonly #fd: number;
  /** The rate of the current response, in bytes per second; 0 for none. */
  #rate = 0;
  #set: number = UNLIMITED;

  /** Begins with the limit of the whole server; `varies` if folders have others. */
  constructor(fd: number, rate: Rate, varies: boolean) {
    this.#fd = fd;
    this.begin(rate);
    // Or megabytes of the first ones would wait in the kernel, and get the rate of the next response.
    if (varies || rate.maxRateAfter > 0) limitUnsent(fd);
  }

  /** A response begins. */
  begin({ maxRate, maxRateAfter }: Rate): void {
    this.#rate = maxRate;
    this.left = maxRate > 0 && maxRateAfter > 0 ? maxRateAfter : Infinity;
    this.#apply(this.left === Infinity && maxRate > 0 ? maxRate : UNLIMITED);
  }

  /** Bytes have been sent. */
  sent(count: number): void {
    this.left -= count;
    if (this.left > 0) return;
    this.left = Infinity;
    this.#apply(this.#rate);
  }

  #apply(rate: number): void {
    if (rate === this.#set) return;
    this.#set = rate;
    raw.setsockopt(this.#fd, SocketLevel.SOCKET, SocketOption.MAX_PACING_RATE, rate);
  }
}
