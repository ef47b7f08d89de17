/** Starts a server in a separate process, under the same runtime and backend. @module */

import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import process from "node:process";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** A server that is listening. */
export interface RunningServer {
  readonly pid: number;
  readonly port: number;
  /** Its complete output on both streams. */
  output(): string;
  /** Waits until its output matches. */
  printed(pattern: RegExp): Promise<void>;
  /** Number of descriptors that it has open. */
  descriptors(): number;
  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void;
  /** Its exit code or signal. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Options for starting a server. */
export interface ServerOptions {
  /** Added to this process's environment. */
  readonly env?: Record<string, string>;
  /** A command that runs the server, such as strace with its options. */
  readonly under?: readonly string[];
  /** Descriptor that it gets as its descriptor 3. */
  readonly passed?: number;
}

const DENO = "Deno" in globalThis;
/** The text after the port may contain colons too. */
const ADDRESS = /(?:https?|tcp):\/\/[^\s/"]+:(\d+)/;
const WAIT_MS = 20_000;

const running = new Set<ChildProcess>();
// A test that fails leaves its server running. That would keep this process from its end, and the
// runner from the reason of the failure.
after(() => {
  for (const child of running) send(child, "SIGKILL");
});

/** The command that runs `file` under this runtime. */
export function command(file: URL): string[] {
  const flags = DENO ? ["run", "-A", "--no-check"] : [];
  return [process.execPath, ...flags, fileURLToPath(file)];
}

/** Starts `file`, and waits until it prints its address. */
export async function startServer(
  file: URL,
  args: readonly string[],
  { env, passed, under = [] }: ServerOptions = {},
): Promise<RunningServer> {
  const [executable, ...rest] = [...under, ...command(file), ...args];
  const child = spawn(executable!, rest, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe", ...(passed === undefined ? [] : [passed])],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream!.setEncoding("utf8").on("data", (text: string) => output += text);
  }
  const ended = endOf(child);
  const printed = async (pattern: RegExp) => {
    for (const end = Date.now() + WAIT_MS; !pattern.test(output); await sleep(10)) {
      const over = child.exitCode !== null || child.signalCode !== null;
      if (over || Date.now() > end) throw new Error(`Printed no ${pattern}, but: ${output}`);
    }
  };
  try {
    await printed(ADDRESS);
  } catch (error) {
    send(child, "SIGKILL");
    throw error;
  }
  return {
    pid: child.pid!,
    port: Number(ADDRESS.exec(output)![1]),
    output: () => output,
    printed,
    descriptors: () => readdirSync(`/proc/${child.pid}/fd`).length,
    kill: (signal) => send(child, signal),
    ended,
  };
}

function endOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  const kill = () => send(child, "SIGKILL");
  process.once("exit", kill);
  running.add(child);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("exit", kill);
      running.delete(child);
      resolve(code ?? signal!);
    });
  });
}

/** Not by `child.kill()`: after that, Deno reports the signal as the exit reason in any case. */
function send({ pid, exitCode, signalCode }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(pid, signal);
}
