/**
 * Owns the temporary folder and the processes of a comparison, and removes both at its end.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { runtime } from "../../../ffi/mod.ts";
import type { Drained, SinkJob } from "./sink.ts";

/** Longest life of a child process, in milliseconds. */
const LIFE_MS = 15 * 60_000;

/** A receiving process. */
export interface Sink {
  /** 0 for a pipe. */
  readonly port: number;
  /** Resolves with what the next connection or writer has sent. */
  next(): Promise<Drained>;
}

/** Owns everything that must not outlive the comparison. */
export class Session {
  /** Folder for all files that are written. */
  readonly folder: string;
  readonly #children = new Set<ChildProcess>();
  readonly #signal: AbortSignal;
  // A second Ctrl-C ends the process at once, but still runs this.
  readonly #atExit = () => this.#clear();

  /** Creates the folder below `parent`. */
  constructor(signal: AbortSignal, parent: string = tmpdir()) {
    this.folder = mkdtempSync(join(parent, "sluice-compare-"));
    this.#signal = signal;
    process.on("exit", this.#atExit);
    signal.addEventListener("abort", this.#atExit);
  }

  /** Ends all processes and removes the folder. */
  close(): void {
    this.#clear();
    process.off("exit", this.#atExit);
    this.#signal.removeEventListener("abort", this.#atExit);
  }

  /** Runs a hidden command of this program, behind `prefix`, and returns its output. */
  async run(command: string, job: unknown, prefix: readonly string[] = []): Promise<string> {
    this.#signal.throwIfAborted();
    const child = this.#start(command, job, prefix);
    let output = "";
    let errors = "";
    child.stdout!.setEncoding("utf8").on("data", (text: string) => output += text);
    child.stderr!.setEncoding("utf8").on("data", (text: string) => errors += text);
    const [code, signal] = await ended(child);
    this.#signal.throwIfAborted();
    if (signal !== null || code !== 0) {
      const last = errors.trim().split("\n").at(-1) ?? "";
      throw new Error(`a child ended by ${signal ?? `exit code ${code}`}${last && `: ${last}`}`);
    }
    return output;
  }

  /** Starts a process that drains what it receives. */
  async sink(job: SinkJob): Promise<Sink> {
    this.#signal.throwIfAborted();
    const child = this.#start("compare-sink", job, []);
    const lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => {
      const { value, done } = await lines.next();
      this.#signal.throwIfAborted();
      if (done) throw new Error("the receiving process has ended");
      return JSON.parse(value);
    };
    const { port } = await next() as { port: number };
    return { port, next: () => next() as Promise<Drained> };
  }

  #start(command: string, job: unknown, prefix: readonly string[]): ChildProcess {
    const argv = [...prefix, ...self(), command, JSON.stringify(job)];
    const child = spawn(argv[0]!, argv.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      // Hides node:ffi's warning that it is experimental.
      env: { ...process.env, NODE_NO_WARNINGS: "1" },
      // A process group of its own: see `kill`.
      detached: true,
    });
    this.#children.add(child);
    const life = setTimeout(kill, LIFE_MS, child);
    child.once("exit", () => {
      clearTimeout(life);
      this.#children.delete(child);
    });
    return child;
  }

  #clear(): void {
    for (const child of this.#children) kill(child);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Kills a process and those that it has started: what strace(1) runs outlives strace. */
function kill(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, "SIGKILL");
  } catch {
    // It has not been started, or has ended.
  }
}

/** Returns the command line of this program. */
function self(): string[] {
  const flags = runtime().name === "deno" ? ["run", "--allow-all", "--no-check", "--quiet"] : [];
  return [process.execPath, ...flags, process.argv[1]!];
}

function ended(child: ChildProcess): Promise<[number | null, string | null]> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve([code, signal]));
  });
}
