/** Steps that move bytes through memory, if no call can move pages. @module */

import { EINTR } from "../../../errno.ts";
import { MapFlag, Protection } from "../../../sys/flags/memory.ts";
import { mmap, pread, preadv2, pwrite, read, recv, send, write } from "../../../sys/raw/mod.ts";
import { MessageFlag } from "../../../sys/flags/socket.ts";

/**
 * Size of the buffer that all steps of a thread share and never free. A larger one copies files
 * somewhat faster, but is not worth its memory: see the bench `copy`.
 */
export const SCRATCH_BYTES: number = 256 * 1024;

/** Bytes at once between sockets and pipes; more brings no gain. */
export const SOCKET_BYTES: number = 64 * 1024;

const PRIVATE_ANONYMOUS = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
const PEEK = MessageFlag.PEEK | MessageFlag.DONTWAIT;
const SEND = MessageFlag.DONTWAIT | MessageFlag.NOSIGNAL;

let buffer: Uint8Array | undefined;

/**
 * The buffer of this thread, page-aligned, so that it also works with `O_DIRECT`; `-errno` if it
 * cannot be allocated. Holds nothing between two steps.
 */
export function scratch(): Uint8Array | number {
  if (buffer !== undefined) return buffer;
  const region = mmap(SCRATCH_BYTES, Protection.READ | Protection.WRITE, PRIVATE_ANONYMOUS, -1, 0);
  return typeof region === "number" ? region : buffer = region.bytes();
}

/**
 * Reads and writes once. Offset `null` means the file position.
 *
 * Writes everything that was read, unless a write fails. Then bytes from a source without positions
 * are lost.
 *
 * @param readFlags Flags of preadv2(2), for offsets only.
 * @returns Bytes written, 0 at the end of the source, or `-errno`.
 */
export function copyStep(
  from: number,
  fromOffset: number | null,
  out: number,
  outOffset: number | null,
  count: number,
  readFlags: number,
): number {
  const bytes = fill(from, fromOffset, count, readFlags);
  return typeof bytes === "number" ? bytes : writeStep(out, bytes, outOffset);
}

/** Like {@linkcode copyStep}, from a file to a socket, without waiting: sends only what fits. */
export function sendCopyStep(out: number, file: number, position: number, count: number): number {
  const bytes = fill(file, position, count, 0);
  return typeof bytes === "number" ? bytes : sendStep(out, bytes);
}

/** The bytes read, or the result of a call that read none. */
function fill(
  from: number,
  offset: number | null,
  count: number,
  readFlags: number,
): Uint8Array | number {
  const memory = scratch();
  if (typeof memory === "number") return memory;
  const part = count < SCRATCH_BYTES ? memory.subarray(0, count) : memory;
  for (;;) {
    const bytesRead = offset === null
      ? read(from, part)
      : readFlags === 0
      ? pread(from, part, offset)
      : preadv2(from, part, offset, readFlags);
    if (bytesRead === EINTR) continue;
    if (bytesRead <= 0) return bytesRead;
    return bytesRead === part.length ? part : part.subarray(0, bytesRead);
  }
}

/** Writes until everything is written or a write fails: bytes written, or the first `-errno`. */
export function writeStep(out: number, bytes: Uint8Array, offset: number | null): number {
  let done = 0;
  while (done < bytes.length) {
    const rest = done === 0 ? bytes : bytes.subarray(done);
    const written = offset === null ? write(out, rest) : pwrite(out, rest, offset + done);
    if (written === EINTR) continue;
    if (written <= 0) return done > 0 ? done : written;
    done += written;
  }
  return done;
}

/** One recv(2) that leaves the bytes in the socket: a count, 0 at the end, or `-errno`. */
export function peekStep(socket: number, target: Uint8Array): number {
  for (;;) {
    const seen = recv(socket, target, PEEK);
    if (seen !== EINTR) return seen;
  }
}

/** One send(2) of as much as there is room for: a count, or `-errno`. */
export function sendStep(socket: number, bytes: Uint8Array): number {
  for (;;) {
    const sent = send(socket, bytes, SEND);
    if (sent !== EINTR) return sent;
  }
}

/**
 * Copies received bytes from a socket into a pipe, and takes from the socket only what the pipe has
 * taken, so nothing is lost.
 *
 * @returns Bytes in the pipe, 0 at the end of the stream, or `-errno`.
 */
export function receiveCopyStep(socket: number, pipe: number, count: number): number {
  const memory = scratch();
  if (typeof memory === "number") return memory;
  const part = memory.subarray(0, Math.min(count, SOCKET_BYTES));
  const seen = peekStep(socket, part);
  if (seen <= 0) return seen;
  const held = write(pipe, part.subarray(0, seen));
  if (held > 0) recv(socket, part.subarray(0, held), MessageFlag.DONTWAIT);
  return held;
}

/** Discards bytes from a pipe. */
export function discard(pipe: number, count: number): void {
  const memory = scratch();
  if (typeof memory === "number") return;
  for (let left = count; left > 0;) {
    const taken = read(pipe, memory.subarray(0, Math.min(left, SCRATCH_BYTES)));
    if (taken <= 0 && taken !== EINTR) return;
    left -= Math.max(0, taken);
  }
}
