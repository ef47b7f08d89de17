/** Loops that move bytes from descriptor to descriptor, for the thread that may block. @module */

import { copyStep, SCRATCH_BYTES, writeStep } from "../../move/engine/step/memory.ts";
import { sendfileStep } from "../../move/engine/step/sendfile.ts";
import { spliceStep, spliceThroughStep } from "../../move/engine/step/splice.ts";
import { EINTR } from "../../errno.ts";
import { MapFlag, Protection } from "../../sys/flags/memory.ts";
import { copyFileRange, mmap, munmap, pageSize } from "../../sys/raw/mod.ts";

/** As much as a pooled pipe holds. */
const PIPEFUL = 1024 * 1024;

/**
 * A loop that moves up to `count` bytes in calls of at most `size`, and goes on after short ones.
 *
 * `move` gets how much has been moved and how much may be. Returns what was moved; an error counts
 * only where nothing was, for the next call meets it again.
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
 * Reads and writes. `null` is the file position.
 *
 * `readFlags` are those of `preadv2()`, for offsets only. Bytes that were read from what has no
 * positions, and cannot be written, are lost.
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

/** copy_file_range(2), again and again. */
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

/** sendfile(2), again and again; `out` is written at its position. */
export function sendRange(
  from: number,
  fromOffset: number | null,
  out: number,
  count: number,
  size: number,
): number {
  return repeat(count, size, (done, most) => sendfileStep(out, from, plus(fromOffset, done), most));
}

/** splice(2) between a pipe and something else, until that is done or would wait. */
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

/** splice(2) from a file into an empty pipe, which is empty again at the end, and on from there. */
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
 * Maps a part of a file and writes it from there: the kernel reads the mapping, so that a file which
 * was truncated is `EFAULT` and no SIGBUS.
 */
export function mapThrough(
  from: number,
  fromOffset: number,
  out: number,
  outOffset: number | null,
  count: number,
): number {
  // A page before the offset at most: mmap(2) wants whole ones.
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
