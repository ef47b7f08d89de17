/** Driver of steps that are awaited: calls of a thread, writes of the runtime, ends that get ready. @module */

import { EAGAIN, EINTR, FINAL_REFUSALS } from "../../errno.ts";
import { errnoNumber } from "../../errors.ts";
import type { TransferProgress } from "./progress.ts";
import { Outcome, outcomeOf, STARVED_MS } from "./step/outcome.ts";

/** How bytes can be made to move: see {@linkcode TransferOptions.method}. */
export type TransferMethod = "range" | "sendfile" | "splice" | "copy";

/** One method at work: its step, and what is particular about its ends. */
export interface AwaitedSteps {
  /** What the result calls the method. */
  readonly method: string;
  /** Whether to try again while the kernel has no memory, rather than by another method. */
  readonly patient: boolean;
  /** How many bytes the next step may move; 0 when all have been moved. */
  next(): Promise<number>;
  /** Moves some bytes: see outcome.ts. */
  step(count: number): number | Promise<number>;
  /** Some have moved, and are counted. */
  moved(count: number): unknown;
  /** Waits for the end that a step would have had to wait for. */
  wait(): unknown;
}

/** Result of {@linkcode drive} when all bytes have been moved. */
const DONE = 1;

/**
 * Takes one step after the other.
 *
 * @returns A positive number when all bytes have been moved, 0 where the source ended before, or the
 * `-errno` of a step that failed, or that refuses.
 *
 * @throws {AbortError} When the signal fired.
 */
export async function drive(steps: AwaitedSteps, progress: TransferProgress): Promise<number> {
  for (;;) {
    const count = await steps.next();
    if (count === 0) return DONE;
    const result = await steps.step(count);
    switch (outcomeOf(result)) {
      case Outcome.MOVED:
        progress.moved(result, steps.method);
        await steps.moved(result);
        continue;
      case Outcome.BLOCKED:
        await steps.wait();
        continue;
      case Outcome.STARVED:
        if (!steps.patient) return result;
        await progress.unlessAborted(new Promise((resolve) => setTimeout(resolve, STARVED_MS)));
        continue;
      default:
        return result;
    }
  }
}

/**
 * Whether the next method may be asked after this answer of one that is not the last: `EINVAL`,
 * `ENOSYS`, `EXDEV`, `EOPNOTSUPP`, `EPERM`, `EBADF` for a file that appends, `ETXTBSY`, `EIO` of network
 * file systems ... and 0 of a call that has moved nothing, as copy_file_range(2) on Linux 5.3 to
 * 5.18 for files that are made up when they are read. What is more than that the last one meets again.
 */
export function isRefusal(result: number): boolean {
  return !FINAL_REFUSALS.has(result);
}

/** Whether a call was interrupted, or would have to wait. */
export function isTransient(result: number): boolean {
  return result === EAGAIN || result === EINTR;
}

/** The call that carries a method out. */
const SYSCALLS: Readonly<Record<TransferMethod, string>> = {
  range: "copy_file_range",
  sendfile: "sendfile",
  splice: "splice",
  copy: "write",
};

/** The methods, by name. */
export const METHODS: readonly string[] = Object.keys(SYSCALLS);

/** What mmap(2) fails with, and write(2) to a file never. */
const OF_MMAP = new Set(["ENOMEM", "ENODEV", "EACCES", "EOVERFLOW"].map(errnoNumber));

/** The name of the call that failed with this `-errno`. */
export function callOf(method: string, result: number): string {
  if (method === "mmap" && OF_MMAP.has(-result)) return "mmap";
  return SYSCALLS[method as TransferMethod] ?? "write";
}
