/** Reads a file into the page cache without blocking the event loop. @module */

import { builtin } from "../builtins.ts";
import { UnsupportedError } from "../errors.ts";
import { check } from "../sys/check.ts";
import { runBlocking } from "../threads/blocking/blocking.ts";
import { populate } from "./populate.ts";
import { STRIDE } from "./resident.ts";

/**
 * Reads a range into the page cache; resolves when it is there, or at the end of the file.
 *
 * Runs in the thread for blocking calls and copies nothing. Without permission for Workers, the
 * runtime reads the range into a scratch buffer. If the runtime refuses, this thread reads it at
 * once.
 *
 * @returns Whether its first byte had to be read from the disk; true if unknown.
 *
 * @throws {SyscallError} `EBADF` when `fd` is not open for reading; `EIO` when the disk fails;
 * `EISDIR` or `EINVAL` for a file without pages.
 */
export async function bringIn(fd: number, offset: number, length: number): Promise<boolean> {
  const result = await populateElsewhere(fd, offset, length);
  return check(result, "sendfile", () => `read fd ${fd} ahead`) > 0;
}

async function populateElsewhere(fd: number, offset: number, length: number): Promise<number> {
  // If one read of the runtime's own pool is enough, don't start a thread, which takes memory.
  // Deno's pool reads only files that Deno has opened.
  if (length <= STRIDE && await readThrough(fd, offset, length)) return 1;
  try {
    return await runBlocking("populate", fd, offset, length);
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
  }
  return await readThrough(fd, offset, length) ? 1 : populate(fd, offset, length);
}

let scratch: Uint8Array | undefined;

/** Reads into one shared buffer whose content is never used. Returns false on failure. */
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
    // The runtime rejects invalid descriptors synchronously.
    resolve(-1);
  }
  return promise;
}
