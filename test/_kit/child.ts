/** Runs a file in a child process, under the same runtime and backend. @module */

import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Options of a child process. */
export interface ChildOptions {
  readonly args?: readonly string[];
  /** Added to this process's environment, which keeps `SLUICE_FFI`. */
  readonly env?: Record<string, string>;
  /** Current folder; that of this process by default. */
  readonly cwd?: string;
  /** Flags of the runtime; replace those that give Deno all permissions. */
  readonly flags?: readonly string[];
  /** Time after which the child is killed; long, for a busy machine. @default {60_000} */
  readonly timeoutMs?: number;
  /** Called with each piece of output; may answer with a signal. */
  readonly onOutput?: (
    output: string,
    kill: (signal: NodeJS.Signals) => void,
    pid: number,
  ) => void;
}

/** How a child process ended. */
export interface ChildResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** `Date.now()` when it ended. */
  readonly endedAt: number;
}

const DENO = "Deno" in globalThis;

/** The command line that runs `file` under this runtime; `flags` replace those that permit Deno everything. */
export function commandLine(
  file: URL,
  args: readonly string[],
  flags: readonly string[] = DENO ? ["-A"] : [],
): string[] {
  const deno = DENO ? ["run", "--no-check"] : [];
  return [process.execPath, ...deno, ...flags, fileURLToPath(file), ...args];
}

/** Runs `file`; resolves when it ends. A child that had to be killed has the signal `SIGKILL`. */
export function runChild(file: URL, options: ChildOptions = {}): Promise<ChildResult> {
  const { args = [], cwd, env, flags = DENO ? ["-A"] : [], timeoutMs = 60_000 } = options;
  const command = DENO ? ["run", "--no-check", ...flags] : flags;
  const child = spawn(process.execPath, [...command, fileURLToPath(file), ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // Deno's `child.kill()` sends only the first signal.
  const kill = (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) process.kill(child.pid!, signal);
  };
  const timer = setTimeout(() => kill("SIGKILL"), timeoutMs);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
      if (name === "stdout") options.onOutput?.(output.stdout, kill, child.pid!);
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
