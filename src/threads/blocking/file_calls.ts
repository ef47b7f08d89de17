/**
 * Calls on files that may answer late, for threads that may wait; results go to shared memory.
 * @module
 */

import { EAGAIN, EFBIG, EINTR, ESPIPE } from "../../errno.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { AT_EMPTY_PATH, BASIC_STATS } from "../../sys/file/statx.ts";
import { poll, pread, read, statx, write } from "../../sys/raw/mod.ts";

/** Bytes read at once; procfs returns fewer. */
const SCRATCH = 256 * 1024;

let buffer: Uint8Array | undefined;

function scratch(count: number): Uint8Array {
  buffer ??= new Uint8Array(SCRATCH);
  return count < SCRATCH ? buffer.subarray(0, count) : buffer;
}

/**
 * Fills `target`, of 256 bytes, with the `struct statx` of an open file; 0, or `-errno`. `extra`
 * adds bits to the basic mask.
 */
export function statInto(fd: number, target: SharedArrayBuffer, extra: number = 0): number {
  return statx(fd, "", AT_EMPTY_PATH, BASIC_STATS | extra, new Uint8Array(target));
}

/** Reads at most `count` bytes at `offset` into `target`; a count, 0 at the end, or `-errno`. */
export function readInto(
  fd: number,
  offset: number,
  count: number,
  target: SharedArrayBuffer,
): number {
  const memory = scratch(count);
  const bytesRead = readAt(fd, memory, offset);
  if (bytesRead > 0) new Uint8Array(target).set(memory.subarray(0, bytesRead));
  return bytesRead;
}

/**
 * Copies at most `most` bytes of a file of unknown length, from `offset` on, to the end of another
 * file.
 *
 * @returns Bytes copied: fewer than `most` only at the end of the file. On failure, `-errno` of the
 * read, or `-EFBIG` for any failed write.
 */
export function collect(fd: number, offset: number, out: number, most: number): number {
  for (let done = 0;;) {
    const memory = scratch(most - done);
    const bytesRead = done === most ? 0 : readAt(fd, memory, offset + done);
    if (bytesRead < 0) return bytesRead;
    if (bytesRead === 0) return done;
    for (let at = 0; at < bytesRead;) {
      const written = write(out, memory.subarray(at, bytesRead));
      if (written > 0) at += written;
      else if (written !== EINTR) return EFBIG;
    }
    done += bytesRead;
  }
}

/**
 * Reads at an offset if the file has positions. If nothing can be read now, as in a kernel log,
 * returns `-EAGAIN`, even if the descriptor would block.
 */
function readAt(fd: number, target: Uint8Array, offset: number): number {
  for (;;) {
    if (poll(fd, PollEvent.IN, 0) === 0) return EAGAIN;
    const bytesRead = pread(fd, target, offset);
    const result = bytesRead === ESPIPE ? read(fd, target) : bytesRead;
    if (result !== EINTR) return result;
  }
}
