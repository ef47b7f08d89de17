/** The value of the `Date` header, formatted once a second. @module */

import { latin1Bytes } from "../parser/syntax.ts";

/** Length of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`, in bytes. */
export const DATE_BYTES = 29;

/** One second in milliseconds. */
const SECOND = 1000;

/** Formats the date; one for each thread. */
export class Clock {
  /** The date in {@linkcode DATE_BYTES} bytes. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Number of the second in `bytes`. */
  second = -1;
  #until = -Infinity;

  /** Updates the date; `now` is monotonic, in milliseconds. */
  tick(now: number): void {
    if (now < this.#until) return;
    const wall = Date.now();
    this.second = Math.floor(wall / SECOND);
    this.bytes = latin1Bytes(new Date(this.second * SECOND).toUTCString());
    this.#until = now + SECOND - wall % SECOND;
  }
}
