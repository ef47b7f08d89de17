/** Loops that copy from descriptor to descriptor, for the thread that may block. @module */

import { errnoNumber } from "../../errors.ts";
import { SpliceFlag } from "../../sys/flags/file.ts";
import { MapFlag, Protection } from "../../sys/flags/memory.ts";
import {
  copyFileRange,
  mmap,
  munmap,
  pageSize,
  pread,
  preadv2,
  pwrite,
  read,
  sendfile,
  splice,
  write,
} from "../../sys/raw/mod.ts";

/**
 * Bytes that are read and written at once. From file to file 256 MiB take 70 to 84 ms with this
 * much, 80 to 93 with 64 KiB, 61 to 66 with 1 MiB and 62 to 72 by copy_file_range(2) (measured on
 * ext4, warm); a thread that keeps 1 MiB for ever was not worth that.
 */
const SCRATCH = 256 * 1024;

/** As much as a pooled pipe holds. */
const PIPEFUL = 1024 * 1024;

const EINTR = -errnoNumber("EINTR");

const PRIVATE_ANONYMOUS = MapFlag.PRIVATE | MapFlag.ANONYMOUS;

let buffer: Uint8Array | undefined;

/** Whole pages, so that it serves `O_DIRECT` as well; a mapping of the thread's own, kept for ever. */
function scratch(): Uint8Array | number {
  if (buffer !== undefined) return buffer;
  const region = mmap(SCRATCH, Protection.READ | Protection.WRITE, PRIVATE_ANONYMOUS, -1, 0);
  return typeof region === "number" ? region : buffer = region.bytes();
}

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
  const memory = scratch();
  if (typeof memory === "number") return memory;
  return repeat(count, Math.min(size, SCRATCH), (done, most) => {
    const part = most === SCRATCH ? memory : memory.subarray(0, most);
    const at = fromOffset === null ? null : fromOffset + done;
    const bytesRead = at === null
      ? read(from, part)
      : readFlags === 0
      ? pread(from, part, at)
      : preadv2(from, part, at, readFlags);
    if (bytesRead <= 0) return bytesRead;
    const bytes = bytesRead === part.length ? part : part.subarray(0, bytesRead);
    return writeAll(out, bytes, plus(outOffset, done));
  });
}

/** Writes until everything is written or a call fails; returns as {@linkcode repeat}. */
function writeAll(out: number, bytes: Uint8Array, offset: number | null): number {
  return repeat(bytes.length, bytes.length, (done) => {
    const rest = done === 0 ? bytes : bytes.subarray(done);
    return offset === null ? write(out, rest) : pwrite(out, rest, offset + done);
  });
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
  return repeat(count, size, (done, most) => sendfile(out, from, plus(fromOffset, done), most));
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
  const flags = SpliceFlag.NONBLOCK;
  return repeat(
    count,
    size,
    (done, most) => splice(from, plus(fromOffset, done), out, plus(outOffset, done), most, flags),
  );
}

/**
 * splice(2) from a file into an empty pipe and on from there.
 *
 * The pipe is empty again at the end: what could not be delivered is read out, and can be had once
 * more from the file, since only what was delivered is counted.
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
  const most = Math.min(size, PIPEFUL);
  return repeat(count, most, (done, wanted) => {
    const filled = splice(from, fromOffset + done, pipeWrite, null, wanted, SpliceFlag.NONBLOCK);
    if (filled <= 0) return filled;
    const at = plus(outOffset, done);
    const moved = spliceRange(pipeRead, null, out, at, filled, filled);
    if (moved < filled) empty(pipeRead, filled - Math.max(0, moved));
    return moved;
  });
}

function empty(pipe: number, count: number): void {
  const memory = scratch();
  if (typeof memory === "number") return;
  repeat(count, SCRATCH, (_, most) => read(pipe, memory.subarray(0, most)));
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
    return writeAll(out, region.bytes(lead, count), outOffset);
  } finally {
    munmap(region);
  }
}

function plus(offset: number | null, count: number): number | null {
  return offset === null ? null : offset + count;
}
