/** The processes of the bench: servers and clients, bounded in time, ended with the bench. @module */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { canPin, type Command, commandFor } from "./environment.ts";

/** Nothing here runs for longer, whatever happens. */
const LIFE_MS = 15 * 60 * 1000;

/** Servers have the first processor, clients the second. */
const SERVER_CORE = 0;
const CLIENT_CORE = 1;

/** Nice value of clients that are not measured: low, but not so low that other programs starve them. */
const BACKGROUND = 5;

const pinned = canPin();
const children = new Set<ChildProcess>();

/** How the processes share the processors, for the report. */
export const PINNING: string = pinned
  ? "server on processor 0, clients on processor 1 (taskset)"
  : "servers and clients not pinned";

/** What stands before the command of a client. */
export const CLIENT_PREFIX: readonly string[] = pinned
  ? ["taskset", "-c", String(CLIENT_CORE)]
  : [];

/** Ends the children with the bench, and lets a signal end the bench in an orderly way. */
export function endWithParent(): void {
  process.on("exit", () => children.forEach(kill));
  for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]] as const) {
    process.on(signal, () => process.exit(128 + number));
  }
}

/** A server under test. */
export interface Server {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Waits for some milliseconds. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Where a server runs: on the clients' processor, on both, or else on its own. */
interface Place {
  readonly behind?: boolean;
  readonly everywhere?: boolean;
}

function coreOf({ behind = false, everywhere = false }: Place): number | "all" {
  return everywhere ? "all" : behind ? CLIENT_CORE : SERVER_CORE;
}

/** Starts a server that tells its port as `{"port":1}` in its first line of output. */
export async function startServer(command: Command, place: Place = {}): Promise<Server> {
  const child = start(command, coreOf(place));
  const { port } = await firstLine<{ port: number }>(child);
  return { port, pid: child.pid!, stop: () => end(child) };
}

/**
 * Starts a server whose port is known, and waits until it listens. One that is not measured, but
 * stands behind what is, runs `behind` it, on the clients' processor.
 */
export async function startServerOn(
  port: number,
  command: Command,
  place: Place = {},
): Promise<Server> {
  const child = start(command, coreOf(place));
  for (let tries = 0;; tries++) {
    try {
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect");
      socket.destroy();
      return { port, pid: child.pid!, stop: () => end(child) };
    } catch (cause) {
      if (tries === 50) throw new Error(`${command.argv[0]} does not listen`, { cause });
      await delay(100);
    }
  }
}

/** A running client. */
export interface Client<T> {
  /** What it prints first, for clients that print twice. */
  readonly ready: Promise<void>;
  /** Closes its stdin, which asks it to finish, and returns what it prints last. */
  finish(): Promise<T>;
  /** Returns what it prints last when it finishes by itself. */
  readonly result: Promise<T>;
}

/** Starts a client of `bench/client/`; `background` gives way to the others on its processor. */
export function startClient<T>(
  name: string,
  job: unknown,
  { background = false }: { background?: boolean } = {},
): Client<T> {
  const file = new URL(`client/${name}.ts`, import.meta.url).pathname;
  return startClientProgram(commandFor("node", file, [JSON.stringify(job)]), { background });
}

/** Starts any program that prints as a client does. */
export function startClientProgram<T>(
  command: Command,
  { background = false }: { background?: boolean } = {},
): Client<T> {
  const argv = background ? ["nice", "-n", String(BACKGROUND), ...command.argv] : command.argv;
  const child = start({ ...command, argv }, CLIENT_CORE);
  if (background) lowerGroup(child.pid!);
  const lines: string[] = [];
  const output = createInterface(child.stdout!);
  output.on("line", (line) => lines.push(line));
  const ready = once(output, "line").then(() => {});
  const result = once(child, "close").then(([code]) => {
    if (code !== 0) throw new Error(`The client "${command.argv.join(" ")}" failed`);
    return JSON.parse(lines.at(-1)!) as T;
  });
  // Whoever waits for the one need not wait for the other.
  ready.catch(() => {});
  result.catch(() => {});
  return {
    ready,
    result,
    finish() {
      child.stdin!.end();
      return result;
    },
  };
}

/** Runs a program to its end, on one processor or on all, and returns the JSON that it prints. */
export async function run<T>(command: Command, core: number | "all" = SERVER_CORE): Promise<T> {
  return await firstLine<T>(start(command, core));
}

function start({ argv, env }: Command, core: number | "all"): ChildProcess {
  const [file, ...args] = pinned && core !== "all"
    ? ["taskset", "-c", String(core), ...argv]
    : argv;
  const child = spawn(file!, args, {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
    // A process group of its own, so that `kill` reaches what it has started in turn.
    detached: true,
    timeout: LIFE_MS,
    killSignal: "SIGKILL",
  });
  children.add(child);
  child.on("exit", () => children.delete(child));
  child.on("error", () => children.delete(child));
  // It may have ended by itself.
  child.stdin!.on("error", () => {});
  return child;
}

/** With autogroups, see sched(7), `nice` counts only within a session, and each child is one. */
function lowerGroup(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(BACKGROUND));
  } catch {
    // This kernel has none.
  }
}

async function firstLine<T>(child: ChildProcess): Promise<T> {
  for await (const line of createInterface(child.stdout!)) return JSON.parse(line) as T;
  throw new Error(`"${child.spawnargs.join(" ")}" ended before it said anything`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    throw new Error(`"${child.spawnargs.join(" ")}" had ended too early`);
  }
  const exit = once(child, "exit");
  kill(child);
  await exit;
}

function kill(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, "SIGKILL");
  } catch {
    // It has just ended.
  }
}
