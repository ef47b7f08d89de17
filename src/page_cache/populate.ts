/** Reads a file into the page cache without copying it. @module */

import { REFUSALS } from "../errno.ts";
import { copyStep } from "../move/engine/step/memory.ts";
import { sendfileStep } from "../move/engine/step/sendfile.ts";
import { OpenFlag } from "../sys/flags/file.ts";
import { close, open } from "../sys/raw/mod.ts";
import { warm } from "./resident.ts";

let sink = -1;

/**
 * Reads a range into the page cache; blocks until it is there. Returns 1 if its first byte was
 * missing, 0 if not, or `-errno`.
 *
 * sendfile(2) to `/dev/null` waits for each page and copies none. It stops at the end of the file.
 * Bytes past the range are left to the kernel's readahead, which allocates many pages at once.
 * `POSIX_FADV_WILLNEED` would allocate them one by one, which made `sendFile` of a cold file slower
 * than plain sendfile (Linux 6.18, ext4): see `npm run bench -- cold`.
 */
export function populate(fd: number, offset: number, length: number): number {
  if (openSink() < 0) return sink;
  const end = offset + length;
  const waited = warm(fd, offset) ? 0 : 1;
  for (let at = offset; at < end;) {
    let moved = sendfileStep(sink, fd, at, end - at);
    // Some file systems cannot pass on their pages.
    if (REFUSALS.has(moved)) moved = copyStep(fd, at, sink, null, end - at, 0);
    if (moved === 0) break;
    if (moved < 0) return moved;
    at += moved;
  }
  return waited;
}

/** Opens the descriptor for `populate`, for threads that will lose the permission; or `-errno`. */
export function openSink(): number {
  if (sink < 0) sink = open("/dev/null", OpenFlag.WRONLY | OpenFlag.CLOEXEC, 0);
  return sink;
}

/** Closes the descriptor of `populate` in this thread. */
export function closeSink(): void {
  if (sink >= 0) close(sink);
  sink = -1;
}
