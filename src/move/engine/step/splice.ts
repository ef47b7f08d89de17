/** Steps that move page references into a pipe and out of it. @module */

import { EAGAIN, EINTR } from "../../../errno.ts";
import { SpliceFlag } from "../../../sys/flags/file.ts";
import { splice } from "../../../sys/raw/pipes.ts";
import { discard, peekStep, receiveCopyStep } from "./memory.ts";

/**
 * One splice(2); never waits for the pipe, and repeats after an interrupt. One end must be a pipe.
 *
 * @returns Bytes moved, 0 at the end, or `-errno`: see outcome.ts.
 */
export function spliceStep(
  from: number,
  fromOffset: number | null,
  out: number,
  outOffset: number | null,
  count: number,
): number {
  for (;;) {
    const moved = splice(from, fromOffset, out, outOffset, count, SpliceFlag.NONBLOCK);
    if (moved !== EINTR) return moved;
  }
}

/**
 * Moves pages of a file to a pipe, without waiting for room. Results as of the sendfile(2) step.
 */
export function fileToPipeStep(
  pipe: number,
  file: number,
  position: number,
  count: number,
): number {
  return spliceStep(file, position, pipe, null, count);
}

/**
 * Fills an empty pipe from a socket.
 *
 * splice(2) stops before an urgent byte, with `EAGAIN`, or with 0 once the peer has ended the
 * stream. Both are wrong. recv(2) skips that byte, so it decides.
 *
 * @returns Bytes in the pipe, 0 at the end of the stream, or `-errno`: `EAGAIN` only if nothing has
 * arrived. {@linkcode wasCopied} tells whether they went through memory.
 */
export function receiveStep(socket: number, pipe: number, count: number): number {
  copied = false;
  let moved = spliceStep(socket, null, pipe, null, count);
  if (moved !== 0 && moved !== EAGAIN) return moved;
  const seen = peekStep(socket, first);
  if (seen <= 0) return seen;
  // The bytes may have arrived between the two calls.
  moved = spliceStep(socket, null, pipe, null, count);
  if (moved !== 0 && moved !== EAGAIN) return moved;
  moved = receiveCopyStep(socket, pipe, count);
  copied = moved > 0;
  return moved;
}

const first = new Uint8Array(1);
let copied = false;

/** Whether the last {@linkcode receiveStep} of this thread had to copy. */
export function wasCopied(): boolean {
  return copied;
}

/**
 * Moves bytes from a file into an empty pipe and on to the target. The pipe is empty again at the
 * end: undelivered bytes are discarded, and can be read from the file again.
 *
 * @returns Bytes delivered, 0 at the end of the file or if the target takes nothing, or `-errno`.
 */
export function spliceThroughStep(
  file: number,
  position: number,
  pipeRead: number,
  pipeWrite: number,
  out: number,
  outOffset: number | null,
  count: number,
): number {
  const filled = spliceStep(file, position, pipeWrite, null, count);
  if (filled <= 0) return filled;
  let done = 0;
  while (done < filled) {
    const at = outOffset === null ? null : outOffset + done;
    const moved = spliceStep(pipeRead, null, out, at, filled - done);
    if (moved <= 0) {
      discard(pipeRead, filled - done);
      return done > 0 ? done : moved;
    }
    done += moved;
  }
  return done;
}
