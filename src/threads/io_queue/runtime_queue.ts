/** The queue without io_uring and without Workers: the runtime's own `fs` runs the operations. @module */

import { builtin } from "../../builtins.ts";
import { EBADF, EIO, EPERM } from "../../errno.ts";
import { errnoNumber } from "../../errors.ts";
import { baseOf } from "../../sys/region.ts";
import { carryOut } from "./carry_out.ts";
import { IoOp, type IoQueue, type IoRequest } from "./types.ts";

/**
 * Runs operations in the runtime's threads for files. What they refuse, this thread runs, and waits for
 * the disk: on Deno all files, because Deno did not open them, and `fsync` under `node --permission`.
 * Nothing is cancelled.
 */
export class RuntimeQueue implements IoQueue {
  readonly kind = "runtime";

  start(request: IoRequest, done: (result: number) => void): number {
    if (request.flags !== 0) inline(request, done);
    else {
      startByRuntime(request, request.region?.bytes(), (result) => {
        result === EBADF || result === EPERM ? inline(request, done) : done(result);
      });
    }
    return 0;
  }

  cancel(): void {}
}

/** Waits for the next turn, so that operations in a row do not stop all other work. */
function inline(request: IoRequest, done: (result: number) => void): void {
  const { region, at } = request;
  setImmediate(() => {
    done(carryOut({ ...request, address: region === null ? 0 : baseOf(region) + at }));
  });
}

/**
 * Starts one operation by the runtime's own `fs`.
 *
 * @param bytes Memory of a read or a write.
 * @param done Called once, later, with the count, 0 or `-errno`.
 */
export function startByRuntime(
  { op, fd, at, length, offset }: Pick<IoRequest, "op" | "fd" | "at" | "length" | "offset">,
  bytes: Uint8Array | undefined,
  done: (result: number) => void,
): void {
  const fs = builtin("fs");
  const settle = (error: Error | null, count = 0) => done(error ? codeOf(error) : count);
  if (op === IoOp.READ) fs.read(fd, bytes!, at, length, offset, settle);
  else if (op === IoOp.WRITE) fs.write(fd, bytes!, at, length, offset, settle);
  else if (op === IoOp.FSYNC) fs.fsync(fd, (error) => settle(error));
  else if (op === IoOp.FDATASYNC) fs.fdatasync(fd, (error) => settle(error));
  else fs.ftruncate(fd, offset, (error) => settle(error));
}

/**
 * The `-errno` of an error of the runtime: `-EPERM` for what its permissions forbid, such as
 * `fs.fsync` under `node --permission`.
 */
export function codeOf(error: Error): number {
  const { code } = error as { code?: unknown };
  return code === "ERR_ACCESS_DENIED" ? EPERM : -errnoNumber(String(code)) || EIO;
}
