/** The end of a command: exit codes, error messages and Ctrl-C. @module */

import process from "node:process";
import { outputLost } from "./output.ts";

/** Exit codes of the `sluice` command. A signal ends it with 128 + its number. */
export const ExitCode = {
  OK: 0,
  /** Something failed at run time; standard error says what. */
  FAILED: 1,
  /** The command line is wrong. */
  USAGE: 2,
} as const;

const usage = new WeakSet<Error>();

/** An error for options that do not go together: it ends the command with `ExitCode.USAGE`. */
export function usageError(message: string): Error {
  const error = new Error(message);
  usage.add(error);
  return error;
}

/** Makes a call whose options come from the command line: if they are wrong, so is that. */
export function withOptions<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) usage.add(error);
    throw error;
  }
}

/** Whether the command line is wrong. */
export function isUsageError(error: unknown): boolean {
  return error instanceof Error && usage.has(error);
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** Returns the message and the causes that add to it, as one line. */
export function explain(error: unknown): string {
  const lines: string[] = [];
  for (let at = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
    const text = at instanceof Error ? at.message : String(at);
    if (!lines.some((line) => line.includes(text))) lines.push(text);
  }
  return lines.join(": ");
}

/**
 * Runs a command that ends cleanly on the first SIGINT or SIGTERM, through the signal that `run`
 * receives. `run` stops what it started and removes what it made. A second signal ends the process
 * at once. The command also ends if its output can no longer be written.
 *
 * @returns The result of `run`. Sets the exit code to 130 or 143 if a signal came.
 */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const listeners = Object.entries(SIGNALS).map(([name, code]) => {
    const listener = () => {
      if (controller.signal.aborted) process.exit(code);
      process.exitCode = code;
      controller.abort();
    };
    process.on(name, listener);
    return [name, listener] as const;
  });
  const stop = () => controller.abort();
  outputLost.addEventListener("abort", stop);
  if (outputLost.aborted) stop();
  try {
    return await run(controller.signal);
  } finally {
    outputLost.removeEventListener("abort", stop);
    for (const [name, listener] of listeners) process.off(name, listener);
  }
}
