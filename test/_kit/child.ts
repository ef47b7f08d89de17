/** Running a file in a process of its own, under the same runtime and backend. @module */

import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** How a child was run. */
export interface ChildOptions {
  readonly args?: readonly string[];
  /** Added to this process's environment, so that `SLUICE_FFI` is kept. */
  readonly env?: Record<string, string>;
  /** Flags of the runtime; replace those that let Deno do everything. */
  readonly flags?: readonly string[];
  /** Time after which the child is killed: long, for a busy machine. @default {60_000} */
  readonly timeoutMs?: number;
  /** Called with each piece of output, to answer it with a signal. */
  readonly onOutput?: (output: string, kill: (signal: NodeJS.Signals) => void) => void;
}

/** How a child ended. */
export interface ChildResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** `Date.now()` at its end. */
  readonly endedAt: number;
}

const DENO = "Deno" in globalThis;

/** The words that run `file` under this runtime. */
export function commandLine(file: URL, args: readonly string[]): string[] {
  const deno = DENO ? ["run", "--no-check", "-A"] : [];
  return [process.execPath, ...deno, fileURLToPath(file), ...args];
}

/** Runs `file`; resolves at its end. A child that must be killed has the signal `SIGKILL`. */
export function runChild(file: URL, options: ChildOptions = {}): Promise<ChildResult> {
  const { args = [], env, flags = DENO ? ["-A"] : [], timeoutMs = 60_000 } = options;
  const command = DENO ? ["run", "--no-check", ...flags] : flags;
  const child = spawn(process.execPath, [...command, fileURLToPath(file), ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // Deno's `child.kill()` sends the first signal only.
  const kill = (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) process.kill(child.pid!, signal);
  };
  const timer = setTimeout(() => kill("SIGKILL"), timeoutMs);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
      if (name === "stdout") options.onOutput?.(output.stdout, kill);
    });
  }
  return new Promise((resolve, reject) => {
    let endedAt = 0;
    child.on("error", reject);
    child.on("exit", () => endedAt = Date.now());
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output, endedAt });
    });
  });
}
