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

/** Moves bytes from one descriptor to another; `null` is the file position. */
type Step = (
  from: number,
  fromOffset: number | null,
  out: number,
  outOffset: number | null,
  count: number,
) => number;

/** A step again and again, in calls of at most `size` bytes. */
type Loop = (...args: [...Parameters<Step>, size: number]) => number;

function loopOf(step: Step): Loop {
  return (from, fromOffset, out, outOffset, count, size) =>
    repeat(
      count,
      size,
      (done, most) => step(from, plus(fromOffset, done), out, plus(outOffset, done), most),
    );
}

/** copy_file_range(2), again and again. */
export const copyRange: Loop = loopOf(copyFileRange);

/** splice(2) between a pipe and something else, until that is done or would wait. */
export const spliceRange: Loop = loopOf(spliceStep);

/** sendfile(2), again and again; `out` is written at its position. */
export const sendRange: Loop = loopOf((from, at, out, _, most) =>
  sendfileStep(out, from, at, most)
);

/**
 * Reads and writes.
 *
 * `readFlags` are those of `preadv2()`, for offsets only. Bytes that were read from what has no
 * positions, and cannot be written, are lost.
 */
export function copyThrough(...args: [...Parameters<Loop>, readFlags: number]): number {
  const [from, fromOffset, out, outOffset, count, size, readFlags] = args;
  const copy = loopOf((...step) => copyStep(...step, readFlags));
  return copy(from, fromOffset, out, outOffset, count, Math.min(size, SCRATCH_BYTES));
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
