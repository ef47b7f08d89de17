/** Whether the thread that started a job still runs: `terminate()` gives it no last word. @module */

import { builtin } from "../builtins.ts";
import { ESRCH } from "../errno.ts";
import { callNumber } from "../sys/raw/process/call_numbers.ts";
import { syscall } from "../sys/raw/syscall.ts";

/** Time between two checks, in milliseconds. */
const CHECK_MS = 50;

/** Returns the kernel's number of the calling thread, or `-errno`. */
export function threadId(): number {
  return syscall(callNumber("gettid"));
}

/**
 * Returns a function that says whether a thread of this process has ended. It asks the kernel every
 * 50 ms at most. It says no as long as another thread has been given the same number.
 *
 * @param id From {@linkcode threadId}; 0 for the main thread, whose end is the end of all.
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
    // Signal 0 is never delivered. EPERM, in a sandbox, means that the thread is there.
    return ended = syscall(callNumber("tgkill"), pid, id, 0) === ESRCH;
  };
}
