/**
 * Files that must not outlive the process: those which have a name before they are complete.
 *
 * @module
 */

import { builtin } from "../../builtins.ts";
import { descriptorShortage } from "../../runtime/spare_descriptors.ts";

const SIGNALS = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

const paths = new Set<string>();

/**
 * Has a file removed when the process ends by `process.exit()`, an error that nobody catches, or a signal
 * that asks it to. Nothing helps against `SIGKILL`.
 *
 * Listens to signals only while there is such a file; and where somebody else listens as well, what
 * becomes of the process is left to them.
 *
 * @returns Takes that back: the file is complete, or gone.
 */
export function removeAtEnd(path: string): () => void {
  if (paths.size === 0) listen(true);
  paths.add(path);
  return () => {
    if (paths.delete(path) && paths.size === 0) listen(false);
  };
}

function listen(on: boolean): void {
  const process = builtin("process");
  // First: a `once` listener that has been called is not counted any more.
  const change = on ? "prependListener" : "off";
  process[change]("exit", removeAll);
  // A file that a signal leaves behind is better than the end of the process.
  if (on && descriptorShortage() !== undefined) return;
  for (const signal of SIGNALS) {
    try {
      process[change](signal, ended);
    } catch {
      // A thread, or a permission that is missing.
    }
  }
}

function removeAll(): void {
  for (const path of paths) {
    try {
      builtin("fs").unlinkSync(path);
    } catch {
      // It was not made yet.
    }
  }
}

function ended(signal: NodeJS.Signals): void {
  const process = builtin("process");
  if (process.listenerCount(signal) > 1) return;
  removeAll();
  listen(false);
  paths.clear();
  // As if nobody had listened.
  process.kill(process.pid, signal);
}
