/**
 * Removes files that must not outlive the process: those that have a name before they are complete.
 *
 * @module
 */

import { builtin } from "../../builtins.ts";
import { descriptorShortage } from "../../runtime/spare_descriptors.ts";

const SIGNALS = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

const paths = new Set<string>();

/**
 * Removes a file when the process ends by `process.exit()`, an uncaught error, or a signal that
 * asks it to. Nothing helps against `SIGKILL`.
 *
 * Listens for signals only while there is such a file. If other listeners exist, they decide what
 * happens to the process.
 *
 * @returns A function that cancels the removal: the file is complete, or already removed.
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
  // Prepend the listener: a `once` listener that has been called is no longer counted.
  const change = on ? "prependListener" : "off";
  process[change]("exit", removeAll);
  // A file that a signal leaves behind is better than the end of the process.
  if (on && descriptorShortage() !== undefined) return;
  for (const signal of SIGNALS) {
    try {
      process[change](signal, ended);
    } catch {
      // Unavailable in a thread, or without permission.
    }
  }
}

function removeAll(): void {
  for (const path of paths) {
    try {
      builtin("fs").unlinkSync(path);
    } catch {
      // The file does not exist yet.
    }
  }
}

function ended(signal: NodeJS.Signals): void {
  const process = builtin("process");
  if (process.listenerCount(signal) > 1) return;
  removeAll();
  listen(false);
  paths.clear();
  // End the process as if there were no listener.
  process.kill(process.pid, signal);
}
