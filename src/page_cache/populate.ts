/** Reading a file into the page cache, and nowhere else. @module */

import { REFUSALS } from "../errno.ts";
import { copyStep } from "../move/engine/step/memory.ts";
import { sendfileStep } from "../move/engine/step/sendfile.ts";
import { OpenFlag } from "../sys/flags/file.ts";
import { close, open } from "../sys/raw/mod.ts";
import { warm } from "./resident.ts";

let sink = -1;

/**
 * Reads a range into the page cache; blocks until it is there. Returns 1 when its first byte was not
 * there before, otherwise 0, or `-errno`.
 *
 * sendfile(2) to `/dev/null` waits for each page and copies none. Ends early at the end of the file.
 * What lies behind the range is left to the readahead of the kernel, which allocates many pages at
 * once: asked for 2 MiB by `POSIX_FADV_WILLNEED` it takes them one by one, and `sendFile` of a cold
 * file went at 0.66 GB/s for 0.65 CPU-s/GB, without at 1.4 for 0.24 (plain sendfile: 1.57, 0.17;
 * Linux 6.18, ext4, medians of 3 rounds).
 */
export function populate(fd: number, offset: number, length: number): number {
  if (openSink() < 0) return sink;
  const end = offset + length;
  const waited = warm(fd, offset) ? 0 : 1;
  for (let at = offset; at < end;) {
    let moved = sendfileStep(sink, fd, at, end - at);
    // Some file systems cannot hand out their pages.
    if (REFUSALS.has(moved)) moved = copyStep(fd, at, sink, null, end - at, 0);
    if (moved === 0) break;
    if (moved < 0) return moved;
    at += moved;
  }
  return waited;
}

/** Opens what `populate` needs, for threads that will not be allowed to; a descriptor or `-errno`. */
export function openSink(): number {
  if (sink < 0) sink = open("/dev/null", OpenFlag.WRONLY | OpenFlag.CLOEXEC, 0);
  return sink;
}

/** Closes what `populate` keeps open in this thread. */
export function closeSink(): void {
  if (sink >= 0) close(sink);
  sink = -1;
}
