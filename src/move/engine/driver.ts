/** Drives steps by promises: calls in a thread, writes of the runtime, descriptors that become ready. @module */

import { EAGAIN, EINTR, FINAL_REFUSALS } from "../../errno.ts";
import { errnoNumber } from "../../errors.ts";
import type { TransferProgress } from "./progress.ts";
import { MOST_STARVED, Outcome, outcomeOf, STARVED_MS } from "./step/outcome.ts";

/** How to move bytes: see {@linkcode TransferOptions.method}. */
export type TransferMethod = "range" | "sendfile" | "splice" | "copy";

/** One method: its step, and how to wait for its ends. */
export interface AwaitedSteps {
  /** Name of the method in the result. */
  readonly method: string;
  /** Whether to retry if the kernel has no memory; else the next method is tried. */
  readonly patient: boolean;
  /** Number of bytes that the next step may move; 0 once all have been moved. */
  next(): Promise<number>;
  /** Moves some bytes: see outcome.ts. */
  step(count: number): number | Promise<number>;
  /** Called after bytes have moved and been counted. */
  moved(count: number): unknown;
  /** Waits for the end that blocked. */
  wait(): unknown;
}

/** Result of {@linkcode drive} if all bytes have been moved. */
const DONE = 1;

/**
 * Repeats the step until it ends, fails or is refused.
 *
 * @returns A positive number if all bytes have been moved, 0 if the source ended before, or the
 * `-errno` of the step that failed or was refused.
 *
 * @throws {AbortError} When the signal fired.
 */
export async function drive(steps: AwaitedSteps, progress: TransferProgress): Promise<number> {
  let starved = 0;
  for (;;) {
    const count = await steps.next();
    if (count === 0) return DONE;
    const result = await steps.step(count);
    switch (outcomeOf(result)) {
      case Outcome.MOVED:
        starved = 0;
        progress.moved(result, steps.method);
        await steps.moved(result);
        continue;
      case Outcome.BLOCKED:
        await steps.wait();
        continue;
      case Outcome.STARVED:
        if (!steps.patient || ++starved > MOST_STARVED) return result;
        await progress.unlessAborted(new Promise((resolve) => setTimeout(resolve, STARVED_MS)));
        continue;
      default:
        return result;
    }
  }
}

/**
 * Whether the next method may be tried after this result: `EINVAL`, `ENOSYS`, `EXDEV`, `EOPNOTSUPP`,
 * `EPERM`, `EBADF` for a file that appends, `ETXTBSY`, `EIO` of network file systems, and others. Also
 * 0, which copy_file_range(2) on Linux 5.3 to 5.18 returns for files with generated content. If the
 * failure is real, the last method meets it again.
 */
export function isRefusal(result: number): boolean {
  return !FINAL_REFUSALS.has(result);
}

/** Whether a call was interrupted or would block. */
export function isTransient(result: number): boolean {
  return result === EAGAIN || result === EINTR;
}

/** System call of each method. */
const SYSCALLS: Readonly<Record<TransferMethod, string>> = {
  range: "copy_file_range",
  sendfile: "sendfile",
  splice: "splice",
  copy: "write",
};

/** Names of the methods. */
export const METHODS: readonly string[] = Object.keys(SYSCALLS);

/** Errors of mmap(2) that write(2) to a file never returns. */
const OF_MMAP = new Set(["ENOMEM", "ENODEV", "EACCES", "EOVERFLOW"].map(errnoNumber));

/** Name of the call that failed with this `-errno`. */
export function callOf(method: string, result: number): string {
  if (method === "mmap" && OF_MMAP.has(-result)) return "mmap";
  return SYSCALLS[method as TransferMethod] ?? "write";
}
