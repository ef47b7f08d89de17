/** What of a file is in the page cache, and getting it there without stopping the event loop. @module */

import { builtin } from "../builtins.ts";
import { UnsupportedError } from "../errors.ts";
import { check } from "../sys/check.ts";
import { runBlocking } from "../threads/blocking/blocking.ts";
import { isInMemory } from "./memory_files.ts";
import { populate } from "./populate.ts";
import { preadResident, resident, STRIDE, WINDOW } from "./resident.ts";

export { isInMemory, preadResident, resident, STRIDE, WINDOW };

/**
 * Reads a range into the page cache; resolves when it is there, or when the file has ended.
 *
 * Runs in the thread for blocking calls and copies nothing. Where Workers are not permitted the
 * runtime reads it into a scratch buffer, and what the runtime refuses to read is read at once,
 * on this thread.
 *
 * @returns Whether its first byte had to be waited for; true where that is not known.
 *
 * @throws {SyscallError} `EBADF` when `fd` is not open for reading; `EIO` when the disk fails; `EISDIR`
 * or `EINVAL` when it has no pages.
 */
export async function bringIn(fd: number, offset: number, length: number): Promise<boolean> {
  const result = await populateElsewhere(fd, offset, length);
  return check(result, "sendfile", () => `read fd ${fd} ahead`) > 0;
}

async function populateElsewhere(fd: number, offset: number, length: number): Promise<number> {
  // What one read of the runtime's own pool brings in needs no thread of ours, which takes 11
  // to 28 MB (measured). Deno's reads only what Deno has opened itself.
  if (length <= STRIDE && await readThrough(fd, offset, length)) return 1;
  try {
    return await runBlocking("populate", fd, offset, length);
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
  }
  return await readThrough(fd, offset, length) ? 1 : populate(fd, offset, length);
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
