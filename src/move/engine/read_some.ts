/** Reading a file for somebody who wants its bytes, without holding the loop up. @module */

import { builtin } from "../../builtins.ts";
import { asSyscallError, SyscallError } from "../../errors.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { isLocal, readRemote } from "../../threads/blocking/files.ts";
import { bringIn, preadResident } from "../../page_cache/prefetch.ts";
import { heldBytes } from "./file/pseudo_files.ts";

/**
 * Reads up to `length` bytes from `position` on; none at the end of the file.
 *
 * What is in the page cache is copied at once. Everything else is left to the runtime's threads, or to
 * ours, so that the descriptor has to stay open until the promise settles.
 *
 * @throws {SyscallError} When the file cannot be read; `bytesMoved` is what the caller has moved before.
 */
export function readSome(
  fd: number,
  position: number,
  length: number,
  bytesMoved = 0,
): Uint8Array | Promise<Uint8Array> {
  const held = heldBytes(fd);
  if (held !== undefined) return held.subarray(position, position + length);
  // Without zeroes, which would be written over: a tenth of what a copy costs on Bun.
  const bytes = builtin("buffer").Buffer.allocUnsafeSlow(length);
  if (!available()) return readByRuntime(fd, position, bytes, bytesMoved);
  const count = preadResident(fd, bytes, position);
  if (count > 0) return bytes.subarray(0, count);
  // The runtime has few threads for all its files: one that is never answered must not take them.
  return isLocal(fd)
    ? readByRuntime(fd, position, bytes, bytesMoved)
    : readFar(fd, position, bytes, bytesMoved);
}

function readByRuntime(
  fd: number,
  position: number,
  bytes: Uint8Array,
  bytesMoved: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    builtin("fs").read(fd, bytes, 0, bytes.length, position, (error, count) => {
      if (!error) resolve(bytes.subarray(0, count));
      // Deno knows only the descriptors that it opened itself.
      else if ((error as NodeJS.ErrnoException).code === "EBADF" && available()) {
        resolve(readByThread(fd, position, bytes, bytesMoved));
      } else reject(asSyscallError(error, "read", `read fd ${fd}`, bytesMoved));
    });
  });
}

async function readFar(
  fd: number,
  position: number,
  bytes: Uint8Array,
  bytesMoved: number,
): Promise<Uint8Array> {
  const count = await readRemote(fd, bytes, position);
  if (count >= 0) return bytes.subarray(0, count);
  const action = `read fd ${fd}`;
  throw new SyscallError({ syscall: "pread", errno: -count, action, bytesMoved });
}

async function readByThread(
  fd: number,
  position: number,
  bytes: Uint8Array,
  bytesMoved: number,
): Promise<Uint8Array> {
  await bringIn(fd, position, bytes.length);
  const count = raw.pread(fd, bytes, position);
  if (count >= 0) return bytes.subarray(0, count);
  const action = `read fd ${fd}`;
  throw new SyscallError({ syscall: "pread", errno: -count, action, bytesMoved });
}
