/** The maximum rate of one connection, which the kernel keeps. @module */

import { limitUnsent } from "../../../runtime/tcp.ts";
import { SocketLevel, SocketOption } from "../../../sys/flags/socket.ts";
import * as raw from "../../../sys/raw/mod.ts";

/** `~0` in the kernel's eyes. */
const UNLIMITED = -1;

/** Limits the rate of a connection, after the first bytes of each response. */
export class RateLimit {
  /** Bytes that may still leave at full speed; `Infinity` once the limit applies. */
  left: number;
  readonly #fd: number;
  readonly #rate: number;
  readonly #after: number;

  /** `rate` in bytes per second; `fd` stays the caller's. */
  constructor(fd: number, rate: number, after: number) {
    this.#fd = fd;
    this.#rate = rate;
    this.#after = after;
    this.left = after;
    if (after === 0) this.#limit();
    // Or megabytes of the first ones would wait in the kernel, and be limited as well.
    else limitUnsent(fd);
  }

  /** A response begins. */
  begin(): void {
    if (this.#after === 0) return;
    if (this.left === Infinity) this.#set(UNLIMITED);
    this.left = this.#after;
  }

  /** Bytes have been sent. */
  sent(count: number): void {
    this.left -= count;
    if (this.left <= 0) this.#limit();
  }

  #limit(): void {
    this.left = Infinity;
    this.#set(this.#rate);
  }

  #set(rate: number): void {
    raw.setsockopt(this.#fd, SocketLevel.SOCKET, SocketOption.MAX_PACING_RATE, rate);
  }
}
