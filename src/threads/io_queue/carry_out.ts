/** Runs one operation in the thread that calls. @module */

import { EINTR, EINVAL } from "../../errno.ts";
import { readPlace, writePlace } from "../../sys/place.ts";
import { fdatasync, fsync, ftruncate } from "../../sys/raw/mod.ts";
import type { Operation } from "./shared_queue.ts";

/** Runs an operation, again after `EINTR`. May wait for the disk. Returns the count, 0 or `-errno`. */
export function carryOut(operation: Omit<Operation, "slot">): number {
  for (;;) {
    const result = call(operation);
    if (result !== EINTR) return result;
  }
}

/** The numbers are those of `IoOp`. */
function call({ op, fd, address, length, offset, flags }: Omit<Operation, "slot">): number {
  switch (op) {
    case 0:
      return readPlace(fd, address, length, offset, flags);
    case 1:
      return writePlace(fd, address, length, offset, flags);
    case 2:
      return fsync(fd);
    case 3:
      return fdatasync(fd);
    case 4:
      return ftruncate(fd, offset);
    default:
      return EINVAL;
  }
}
