/** Runs file operations concurrently with JavaScript: by io_uring, or else by threads. @module */

import { setting } from "../../../ffi/mod.ts";
import { RingQueue } from "./ring_queue.ts";
import { ThreadQueue } from "./thread_queue.ts";
import type { IoQueue } from "./types.ts";

let current: IoQueue | undefined;

/**
 * Returns the queue of this thread, created on the first call.
 *
 * `SLUICE_RING=off` disables io_uring. Containers often forbid it (`EPERM`, `ENOSYS`), and kernels
 * before 5.6 lack required operations. Threads then do the same work: at most 4, or as many as
 * `SLUICE_IO_THREADS` says, up to 16. Where Workers cannot start, the runtime's own `fs` does it.
 *
 * @throws {UnsupportedError} When no backend is available.
 * @throws {SyscallError} `EMFILE` or `ENFILE` when too many descriptors are open for a thread.
 */
export function ioQueue(): IoQueue {
  if (current !== undefined) return current;
  const forget = () => current = undefined;
  const ring = setting("SLUICE_RING") === "off" ? undefined : RingQueue.open(forget);
  return current = ring ?? new ThreadQueue(forget);
}
