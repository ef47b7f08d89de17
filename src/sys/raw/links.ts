/** Reads symbolic links by descriptor. Internal. @module */

import { callNumber } from "./process/call_numbers.ts";
import { syscall } from "./syscall.ts";

const EMPTY = new Uint8Array(1);

/** `readlinkat(fd, "", target)` of a link opened with `O_PATH | O_NOFOLLOW`: bytes, or `-errno`. */
export function readlinkOf(fd: number, target: Uint8Array): number {
  return syscall(callNumber("readlinkat"), fd, EMPTY, target, target.length);
}
