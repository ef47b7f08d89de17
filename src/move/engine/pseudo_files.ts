/** Files that are made up as they are read: those of procfs and sysfs. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { close, memfdCreate, pread, write } from "../../sys/raw/mod.ts";
import type { FdStat } from "../../sys/file/statx.ts";

/** Longest that is looked into: procfs says 0 bytes, sysfs 4096, and neither has blocks. */
const SUSPICIOUS_BYTES = 4096;

/** More than any such file has, as a bound. */
const MOST_BYTES = 16 * 1024 * 1024;

const MFD_CLOEXEC = 1;

/**
 * Copies a file whose size is not true into memory that has one.
 *
 * @returns A descriptor of the copy, which the caller closes; `undefined` for an ordinary file, or
 * where the copy cannot be made.
 */
export function snapshot(fd: number, { size, blocks }: Pick<FdStat, "size" | "blocks">):
  | { fd: number; size: number }
  | undefined {
  if (platform.os !== "linux" || blocks > 0 || size > SUSPICIOUS_BYTES) return undefined;
  const buffer = new Uint8Array(64 * 1024);
  const first = pread(fd, buffer, 0);
  // Small files of some file systems live in their inode, and are as long as they say.
  if (first < 0 || first === size) return undefined;
  const copy = memfdCreate("sluice", MFD_CLOEXEC);
  if (copy < 0) return undefined;
  let length = 0;
  for (let count = first; count > 0 && length < MOST_BYTES; count = pread(fd, buffer, length)) {
    length += Math.max(0, write(copy, buffer.subarray(0, count)));
  }
  return { fd: copy, size: length };
}

/** Closes a copy made by {@linkcode snapshot}. */
export function discard(copy: { fd: number }): void {
  close(copy.fd);
}
