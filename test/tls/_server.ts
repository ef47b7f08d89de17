/** The small HTTPS server of `_fixtures/server.ts`, in a process of its own. @module */

import { spawn } from "node:child_process";
import process from "node:process";
import { commandLine } from "../_kit/child.ts";

/** Figures of the server. */
export interface MiniStats {
  readonly accepted: number;
  readonly kernel: number;
  readonly reused: number;
  readonly requests: number;
  readonly failures: readonly number[];
}

/** A server that runs. */
export interface MiniServer {
  readonly port: number;
  readonly pid: number;
  /** Its output on stderr so far. */
  errors(): string;
  close(): Promise<void>;
}

/** Starts the server with the option `tls` as the program would give it; `flags` are the runtime's. */
export async function startMini(
  root: string,
  tls: Record<string, unknown>,
  more: { kernelTls?: boolean } = {},
  flags?: readonly string[],
): Promise<MiniServer> {
  const argument = JSON.stringify({ root, tls, ...more });
  const file = new URL("./_fixtures/server.ts", import.meta.url);
  const [command, ...args] = commandLine(file, [argument], flags);
  const child = spawn(command!, args, { stdio: ["ignore", "pipe", "pipe"], env: process.env });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`The server ended with ${code}: ${errors}`)));
    child.stdout.setEncoding("utf8").once("data", (text: string) => resolve(Number(text)));
  });
  return {
    port,
    pid: child.pid!,
    errors: () => errors,
    async close() {
      process.kill(child.pid!, "SIGKILL");
      await ended;
    },
  };
}
