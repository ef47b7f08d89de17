/**
 * The result of one step of moving bytes.
 *
 * A step makes one system call and decides nothing. It returns one number, in the kernel's
 * convention, so that no loop allocates: a positive count of bytes, 0 at the end of the source, or
 * `-errno`. {@linkcode outcomeOf} tells the loop what the number means.
 *
 * @module
 */

import { EAGAIN, REFUSALS, SHORTAGES } from "../../../errno.ts";

/** The meanings of a step's result. */
export const Outcome = {
  /** Bytes have moved: the result is their count. */
  MOVED: 0,
  /** The source has no more bytes: a stream has ended, or a file was truncated. */
  SHORT: 1,
  /** The call would have to wait for one of the descriptors. */
  BLOCKED: 2,
  /** The next bytes of the file must be read from the disk first. */
  COLD: 3,
  /** The kernel is out of memory: try again in {@linkcode STARVED_MS}, {@linkcode MOST_STARVED} times. */
  STARVED: 4,
  /** The call does not support these descriptors: try the next method. */
  REFUSED: 5,
  /** The call has failed for good: the result is its `-errno`. */
  FAILED: 6,
} as const;

/** Milliseconds before another attempt when the kernel is out of memory. */
export const STARVED_MS = 20;

/** Attempts without a byte between them, some 10 seconds, after which a shortage is a failure. */
export const MOST_STARVED = 500;

/** Largest errno: `MAX_ERRNO` of the kernel. */
const MOST_ERRNO = 4095;

/** Result of a step whose bytes are not in the page cache; no system call returns it. */
export const COLD: number = -(MOST_ERRNO + 1);

/** Outcomes by `-result`. */
const OUTCOMES = new Uint8Array(MOST_ERRNO + 2).fill(Outcome.FAILED);
OUTCOMES[0] = Outcome.SHORT;
for (const result of REFUSALS) OUTCOMES[-result] = Outcome.REFUSED;
for (const result of SHORTAGES) OUTCOMES[-result] = Outcome.STARVED;
OUTCOMES[-EAGAIN] = Outcome.BLOCKED;
OUTCOMES[-COLD] = Outcome.COLD;

/** Returns the meaning of a step's result: one of {@linkcode Outcome}. */
export function outcomeOf(result: number): number {
  return result > 0 ? Outcome.MOVED : OUTCOMES[-result] ?? Outcome.FAILED;
}
