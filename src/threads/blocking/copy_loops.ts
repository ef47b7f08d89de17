/** Loops that move bytes between descriptors, for a thread that may block. @module */

import { copyStep, SCRATCH_BYTES, writeStep } from "../../move/engine/step/memory.ts";
import { sendfileStep } from "../../move/engine/step/sendfile.ts";
import { spliceStep, spliceThroughStep } from "../../move/engine/step/splice.ts";
import { EINTR } from "../../errno.ts";
import { MapFlag, Protection } from "../../sys/flags/memory.ts";
import { copyFileRange, mmap, munmap, pageSize } from "../../sys/raw/mod.ts";

/** Capacity of a pooled pipe. */
const PIPEFUL = 1024 * 1024;

/**
 * Moves up to `count` bytes in calls of at most `size`; continues after short calls.
 *
 * `move` gets the bytes moved so far and the maximum for this call. Returns the bytes moved. An
 * error counts only if no byte was moved, because the next call meets it again.
 */
function repeat(count: number, size: number, move: (done: number, most: number) => number): number {
  let done = 0;
  while (done < count) {
    const moved = move(done, Math.min(size, count - done));
    if (moved === EINTR) continue;
    if (moved <= 0) return done > 0 ? done : moved;
    done += moved;
  }
  return done;
}

/**
 * Copies by read and write. `null` means the file position.
 *
 * `readFlags` are those of `preadv2()`, for offsets only. If the source has no positions, bytes
 * that were read but cannot be written are lost.
 */
export function copyThrough(
  from: number,
  fromOffset: number | null,
  out: number,
  outOffset: number | null,
  count: number,
  size: number,
  readFlags: number,
): number {
  return repeat(
    count,
    Math.min(size, SCRATCH_BYTES),
    (done, most) =>
      copyStep(from, plus(fromOffset, done), out, plus(outOffset, done), most, readFlags),
  );
}

/** Repeats copy_file_range(2). */
export function copyRange(
  from: number,
  fromOffset: number | null,
  out: number,
  outOffset: number | null,
  count: number,
  size: number,
): number {
  return repeat(
    count,
    size,
    (done, most) => copyFileRange(from, plus(fromOffset, done), out, plus(outOffset, done), most),
  );
}

/** Repeats sendfile(2); writes `out` at its position. */
export function sendRange(
  from: number,
  fromOffset: number | null,
  out: number,
  count: number,
  size: number,
): number {
  return repeat(count, size, (done, most) => sendfileStep(out, from, plus(fromOffset, done), most));
}

/** Repeats splice(2) between a pipe and another descriptor, until done or blocked. */
export function spliceRange(
  from: number,
  fromOffset: number | null,
  out: number,
  outOffset: number | null,
  count: number,
  size: number,
): number {
  return repeat(
    count,
    size,
    (done, most) => spliceStep(from, plus(fromOffset, done), out, plus(outOffset, done), most),
  );
}

/**
 * Splices from a file into an empty pipe and on to the target; the pipe is empty again at the end.
 */
export function spliceThrough(
  from: number,
  fromOffset: number,
  pipeRead: number,
  pipeWrite: number,
  out: number,
  outOffset: number | null,
  count: number,
  size: number,
): number {
  return repeat(count, Math.min(size, PIPEFUL), (done, most) => {
    const at = plus(outOffset, done);
    return spliceThroughStep(from, fromOffset + done, pipeRead, pipeWrite, out, at, most);
  });
}

/**
 * Maps a part of a file and writes from the mapping. The kernel reads the mapping, so a truncated
 * file causes `EFAULT` instead of SIGBUS.
 */
export function mapThrough(
  from: number,
  fromOffset: number,
  out: number,
  outOffset: number | null,
  count: number,
): number {
  // Start up to a page earlier: mmap(2) requires page alignment.
  const lead = fromOffset % pageSize();
  const flags = MapFlag.PRIVATE | MapFlag.NORESERVE;
  const region = mmap(count + lead, Protection.READ, flags, from, fromOffset - lead);
  if (typeof region === "number") return region;
  try {
    return writeStep(out, region.bytes(lead, count), outOffset);
  } finally {
    munmap(region);
  }
}

function plus(offset: number | null, count: number): number | null {
  return offset === null ? null : offset + count;
}
