/** Operations on files that run while JavaScript goes on: by io_uring, or else by threads. @module */

import { setting } from "../../../ffi/mod.ts";
import { RingQueue } from "./ring_queue.ts";
import { ThreadQueue } from "./thread_queue.ts";
import type { IoQueue } from "./types.ts";

let current: IoQueue | undefined;

/**
 * The queue of this thread, made on the first call.
 *
 * `SLUICE_RING=off` in the environment leaves io_uring alone. Containers often forbid it (`EPERM`,
 * `ENOSYS`), and kernels before 5.6 lack what is needed: threads then do the same work, 4 of them at
 * most, or as many as `SLUICE_IO_THREADS` says, up to 16.
 *
 * @throws {UnsupportedError} When there is no backend, or neither io_uring nor Workers.
 */
export function ioQueue(): IoQueue {
  if (current !== undefined) return current;
  const forget = () => current = undefined;
  const ring = setting("SLUICE_RING") === "off" ? undefined : RingQueue.open(forget);
  return current = ring ?? new ThreadQueue(forget);
}
