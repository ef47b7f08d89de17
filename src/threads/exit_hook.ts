/** One exit hook for all Workers of a thread: stops them and waits for them. @module */

import { builtin } from "../builtins.ts";
import { exitNow } from "../sys/raw/process/exit.ts";
import { PARK_MS } from "./job.ts";

/** Runs when a host's thread ends: tells its Worker to stop, then waits for it. */
export interface Exit {
  /** Whether the thread may hang. */
  readonly mayHang: boolean;
  stop(): void;
  /** Returns whether the Worker hangs. */
  wait(ms: number): boolean;
}

/**
 * Milliseconds to wait at the end for threads that cannot hang. They end at once unless the machine is
 * busy. Cutting one off while it loads koffi would end the process by a signal.
 */
const SLOW_MS = 5000;

// One exit hook for all hosts of this thread: separate listeners would exceed MaxListeners.
const exits = new Set<Exit>();

function stopAll(code: number): void {
  for (const exit of exits) exit.stop();
  const began = performance.now();
  const hanging = [...exits].filter((exit) => {
    const limit = exit.mayHang ? PARK_MS : SLOW_MS;
    return exit.wait(Math.max(0, began + limit - performance.now()));
  });
  if (hanging.length > 0 && builtin("worker_threads").isMainThread) endWithout(code);
}

/** Ends the process although a thread does not end; calls the other exit listeners first. */
function endWithout(code: number): void {
  const process = builtin("process");
  const listeners = process.listeners("exit");
  for (const listener of listeners.slice(listeners.indexOf(stopAll) + 1)) {
    try {
      listener.call(process, code);
    } catch {
      // End the process even if a listener throws.
    }
  }
  exitNow(Number(process.exitCode ?? code));
}

export function onExit(exit: Exit): void {
  if (exits.size === 0) builtin("process").on("exit", stopAll);
  exits.add(exit);
}

export function offExit(exit: Exit): void {
  if (exits.delete(exit) && exits.size === 0) builtin("process").off("exit", stopAll);
}
