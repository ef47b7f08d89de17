/** The expected outcome of a transfer, by its ends. @module */

import { CONTENT } from "./matrix_ends.ts";

/** Bytes asked for: sources have more, or end earlier. */
export const LENGTH = 5000;

/** Sources that cannot be read, with their errors, which come before any error of the target. */
export const UNREADABLE: Record<string, string> = {
  "write-only file": "EBADF",
  "O_PATH file": "EBADF",
  "write end of a pipe": "EBADF",
  "eventfd": "EINVAL",
  "epoll set": "EINVAL",
  "folder": "EISDIR",
  "closed": "EBADF",
};

/** Targets that cannot be written to. */
export const UNWRITABLE: Record<string, string> = {
  "read-only file": "EBADF",
  "O_PATH file": "EBADF",
  "read end of a pipe": "EBADF",
  "eventfd": "EINVAL",
  "epoll set": "EINVAL",
  "folder": "EBADF",
  "procfs file": "EBADF",
  "closed": "EBADF",
};

/** Targets that are open for writing and take no byte. */
export const FULL: Record<string, string> = { "sealed memfd": "EPERM", "/dev/full": "ENOSPC" };

/** Number of requested bytes that a source delivers; `undefined` if it varies. */
export function content(source: string): Uint8Array | undefined {
  if (/empty|null/.test(source)) return new Uint8Array(0);
  if (/zero|full/.test(source)) return new Uint8Array(LENGTH);
  return source === "procfs file" ? undefined : CONTENT.subarray(0, LENGTH);
}
