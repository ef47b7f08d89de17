/** The time of day as the header `Date` has it, written once a second. @module */

import { latin1Bytes } from "../parser/syntax.ts";

/** Bytes of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`. */
export const DATE_BYTES = 29;

/** Second, in milliseconds. */
const SECOND = 1000;

/** Tells the date; one for each thread. */
export class Clock {
  /** The date in {@linkcode DATE_BYTES} bytes. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Number of the second that `bytes` tells. */
  second = -1;
  #until = -Infinity;

  /** Brings the date up to date; `now` is monotonic, in milliseconds. */
  tick(now: number): void {
    if (now < this.#until) return;
    const wall = Date.now();
    this.second = Math.floor(wall / SECOND);
    this.bytes = latin1Bytes(new Date(this.second * SECOND).toUTCString());
    this.#until = now + SECOND - wall % SECOND;
  }
}
