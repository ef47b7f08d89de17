/** What of a file is in the page cache, and getting it there without stopping the event loop. @module */

import { builtin } from "../builtins.ts";
import { errnoNumber, UnsupportedError } from "../errors.ts";
import { check } from "../sys/check.ts";
import { ReadFlag } from "../sys/file_flags.ts";
import { preadv2 } from "../sys/raw/files.ts";
import { fdStat } from "../sys/statx.ts";
import { runBlocking } from "./blocking.ts";
import { populate } from "./populate.ts";

/** Most bytes that are asked about at once; what is sent, and so brought in, at once as well. */
export const WINDOW: number = 512 * 1024;

/** Bytes between two questions: the disk is read in runs at least this long. */
export const STRIDE: number = 64 * 1024;

const EINTR = -errnoNumber("EINTR");

const probe = new Uint8Array(1);

/**
 * Returns how many bytes from `offset` on can be read without waiting for the disk; at most `length`,
 * and at most {@linkcode WINDOW}.
 *
 * Looks at one byte in 64 KiB, by `preadv2(RWF_NOWAIT)`, 0.5 to 1.2 microseconds each: not by
 * cachestat(2), which counts pages whose read has not ended. A file system that cannot tell, and every
 * other error, counts as cold. What lies behind the end of the file counts as there.
 *
 * A miss makes the kernel start reading ahead. A `stride` longer than {@linkcode STRIDE} asks less
 * often, and overlooks shorter gaps.
 */
export function resident(
  fd: number,
  offset: number,
  length: number,
  stride: number = STRIDE,
): number {
  const end = offset + Math.min(length, WINDOW);
  if (end === offset) return 0;
  if (!warm(fd, offset)) return 0;
  // The last byte of each stretch: reads arrive in order, so what lies before it is there as well.
  for (let at = offset; at < end; at += stride) {
    if (!warm(fd, Math.min(at + stride, end) - 1)) return at - offset;
  }
  return end - offset;
}

function warm(fd: number, offset: number): boolean {
  const result = preadv2(fd, probe, offset, ReadFlag.NOWAIT);
  if (result !== 0) return result > 0 || (result === EINTR && warm(fd, offset));
  // Linux 5.9 and 5.10 may say 0 before the end: preadv2(2), BUGS.
  const stat = fdStat(fd);
  return typeof stat !== "number" && offset >= stat.size;
}

/**
 * Reads a range into the page cache; resolves when it is there, or when the file has ended.
 *
 * Runs in the thread for blocking calls and copies nothing. Where Workers are not permitted the
 * runtime reads it into a scratch buffer, and what the runtime refuses to read is read at once,
 * on this thread.
 *
 * @throws {SyscallError} `EBADF` when `fd` is not open for reading; `EIO` when the disk fails; `EISDIR`
 * or `EINVAL` when it has no pages.
 */
export async function bringIn(fd: number, offset: number, length: number): Promise<void> {
  const result = await populateElsewhere(fd, offset, length);
  check(result, "sendfile", () => `read fd ${fd} ahead`);
}

async function populateElsewhere(fd: number, offset: number, length: number): Promise<number> {
  // What one read of the runtime's own pool brings in needs no thread of ours, which takes 11
  // to 28 MB (measured). Deno's reads only what Deno has opened itself.
  if (length <= STRIDE && await readThrough(fd, offset, length)) return 0;
  try {
    return await runBlocking("populate", fd, offset, length);
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
  }
  return await readThrough(fd, offset, length) ? 0 : populate(fd, offset, length);
}

let scratch: Uint8Array | undefined;

/** Reads into one buffer that all share: nobody looks at what it holds. False where that fails. */
async function readThrough(fd: number, offset: number, length: number): Promise<boolean> {
  scratch ??= new Uint8Array(STRIDE);
  const end = offset + length;
  for (let at = offset; at < end;) {
    const bytesRead = await readInto(fd, scratch, Math.min(STRIDE, end - at), at);
    if (bytesRead < 0) return false;
    if (bytesRead === 0) return true;
    at += bytesRead;
  }
  return true;
}

/** Bytes read, or -1. */
function readInto(fd: number, target: Uint8Array, count: number, at: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  try {
    builtin("fs").read(fd, target, 0, count, at, (error, bytesRead) => {
      resolve(error ? -1 : bytesRead);
    });
  } catch {
    // What cannot be a descriptor is refused at once.
    resolve(-1);
  }
  return promise;
}
