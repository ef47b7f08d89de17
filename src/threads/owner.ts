/** Detects whether the thread that started a job still runs. @module */

import { builtin } from "../builtins.ts";
import { ESRCH } from "../errno.ts";
import { callNumber } from "../sys/raw/process/call_numbers.ts";
import { syscall } from "../sys/raw/syscall.ts";

/** Milliseconds between two checks. */
const CHECK_MS = 50;

/** Returns the kernel's ID of the calling thread, or `-errno`. */
export function threadId(): number {
  return syscall(callNumber("gettid"));
}

/**
 * Returns a function that reports whether a thread of this process has ended. It asks the kernel at
 * most every 50 ms. It reports false while another thread has the same ID.
 *
 * @param id From {@linkcode threadId}; 0 for the main thread, whose end ends the process.
 */
export function watchOwner(id: number): () => boolean {
  if (id <= 0) return () => false;
  const { pid } = builtin("process");
  let ended = false;
  let checkedMs = performance.now();
  return () => {
    const now = performance.now();
    if (ended || now - checkedMs < CHECK_MS) return ended;
    checkedMs = now;
    // Signal 0 is never delivered. EPERM, in a sandbox, means that the thread exists.
    return ended = syscall(callNumber("tgkill"), pid, id, 0) === ESRCH;
  };
}
