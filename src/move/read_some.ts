/** Reading a file for somebody who wants its bytes, without holding the loop up. @module */

import { builtin } from "../builtins.ts";
import { SyscallError } from "../errors.ts";
import { available } from "../sys/libc.ts";
import * as raw from "../sys/raw/mod.ts";
import { bringIn, preadResident } from "../wait/residency.ts";
import { asSyscallError } from "./source.ts";

/**
 * Reads up to `length` bytes from `position` on; none at the end of the file.
 *
 * What is in the page cache is copied at once. For what is not a thread reads it in first, so that
 * the descriptor has to stay open until the promise settles.
 *
 * @throws {SyscallError} When the file cannot be read.
 */
export function readSome(
  fd: number,
  position: number,
  length: number,
): Uint8Array | Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  if (!available()) return readByRuntime(fd, position, bytes);
  const count = preadResident(fd, bytes, position);
  return count > 0 ? bytes.subarray(0, count) : readCold(fd, position, bytes);
}

async function readCold(fd: number, position: number, bytes: Uint8Array): Promise<Uint8Array> {
  await bringIn(fd, position, bytes.length);
  const count = raw.pread(fd, bytes, position);
  if (count >= 0) return bytes.subarray(0, count);
  throw new SyscallError({ syscall: "pread", errno: -count, action: `read fd ${fd}` });
}

function readByRuntime(fd: number, position: number, bytes: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    builtin("fs").read(fd, bytes, 0, bytes.length, position, (error, count) => {
      if (error) reject(asSyscallError(error, "read", `read fd ${fd}`));
      else resolve(bytes.subarray(0, count));
    });
  });
}
