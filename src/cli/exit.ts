/** How a command ends: its exit code, its last words, and Ctrl-C. @module */

import process from "node:process";
import { outputLost } from "./output.ts";

/** Exit codes of the `sluice` command; a second signal adds 128 + its number. */
export const ExitCode = {
  OK: 0,
  /** Something failed while it worked; standard error says what. */
  FAILED: 1,
  /** The command line was wrong. */
  USAGE: 2,
} as const;

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** One line for a terminal: the message and, where they say more, its causes. */
export function explain(error: unknown): string {
  const lines: string[] = [];
  for (let at = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
    const text = at instanceof Error ? at.message : String(at);
    if (!lines.some((line) => line.includes(text))) lines.push(text);
  }
  return lines.join(": ");
}

/**
 * Runs what a first SIGINT or SIGTERM asks to end, through the signal that it is given: what it
 * started it ends, what it made it removes. A second signal ends the process at once. So does it end
 * when nobody takes its output any more.
 *
 * @returns What `run` returned. The exit code is set to 130 or 143 if a signal came.
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
