/**
 * What one step of moving bytes has come to.
 *
 * A step makes one system call and decides nothing. It returns one number, in the kernel's
 * convention, so that no loop allocates: bytes moved when positive, 0 where the source has ended, or
 * `-errno`. {@linkcode outcomeOf} says what the number means to the loop.
 *
 * @module
 */

import { EAGAIN, REFUSALS, SHORTAGES } from "../../../errno.ts";

/** The meanings of a step's result. */
export const Outcome = {
  /** Bytes have moved: the result is their count. */
  MOVED: 0,
  /** The source has no more bytes: a stream has ended, a file is shorter than it was. */
  SHORT: 1,
  /** One of the descriptors would have to be waited for. */
  BLOCKED: 2,
  /** The next bytes of the file must come from the disk first. */
  COLD: 3,
  /** The kernel has no memory at the moment: try again in {@linkcode STARVED_MS}. */
  STARVED: 4,
  /** This call cannot do it with these descriptors: try the next method. */
  REFUSED: 5,
  /** The call has failed for good: the result is its `-errno`. */
  FAILED: 6,
} as const;

/** Pause before another try when the kernel has no memory, in milliseconds. */
export const STARVED_MS = 20;

/** Most that an errno can be: `MAX_ERRNO` of the kernel. */
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

/** Says what the result of a step means: one of {@linkcode Outcome}. */
export function outcomeOf(result: number): number {
  return result > 0 ? Outcome.MOVED : OUTCOMES[-result] ?? Outcome.FAILED;
}
