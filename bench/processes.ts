/** Starts servers and clients, limits their time, and ends them with the benchmark. @module */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { canPin, type Command, commandFor } from "./environment.ts";

/** Longest life of a process, in milliseconds. */
const LIFE_MS = 15 * 60 * 1000;

/** Servers run on the first processor, clients on the second. */
const SERVER_CORE = 0;
const CLIENT_CORE = 1;

/** Nice value of clients that are not measured: low, but other programs cannot starve them. */
const BACKGROUND = 5;

let pinned = canPin();
const children = new Set<ChildProcess>();

/** Describes how processes share the processors, for the report. */
export const PINNING: string = pinned
  ? "server on processor 0, clients on processor 1 (taskset)"
  : "servers and clients not pinned";

/** Prefix of a client's command. */
export const CLIENT_PREFIX: readonly string[] = pinned
  ? ["taskset", "-c", String(CLIENT_CORE)]
  : [];

/** Leaves it to the kernel on which processors servers and clients run, for the whole benchmark. */
export function unpin(): void {
  pinned = false;
}

/** Ends the children with the benchmark, and lets signals end the benchmark cleanly. */
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

/** The processors of a server: the clients', both, or its own. */
interface Place {
  readonly behind?: boolean;
  readonly everywhere?: boolean;
}

function coreOf({ behind = false, everywhere = false }: Place): number | "all" {
  return everywhere ? "all" : behind ? CLIENT_CORE : SERVER_CORE;
}

/** Starts a server that prints its port as `{"port":1}` in its first line. */
export async function startServer(command: Command, place: Place = {}): Promise<Server> {
  const child = start(command, coreOf(place));
  const { port } = await firstLine<{ port: number }>(child);
  return { port, pid: child.pid!, stop: () => end(child) };
}

/**
 * Starts a server with a known port, and waits until it listens. With `behind`, it runs on the
 * clients' processor, for servers that stand behind the measured one.
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
  /** Resolves with the first line, for clients that print two. */
  readonly ready: Promise<void>;
  /** Closes the client's stdin, which asks it to finish, and returns its last line. */
  finish(): Promise<T>;
  /** Resolves with the last line, if the client finishes by itself. */
  readonly result: Promise<T>;
}

/** Starts a client of `bench/client/`; `background` yields to the others on its processor. */
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
  // A caller may await only one of the two promises.
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

/** Runs a program to its end, on one processor or on all, and returns its JSON. */
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
    // A process group of its own, so that `kill` also reaches its children.
    detached: true,
    timeout: LIFE_MS,
    killSignal: "SIGKILL",
  });
  children.add(child);
  child.on("exit", () => children.delete(child));
  child.on("error", () => children.delete(child));
  // The child may have ended already.
  child.stdin!.on("error", () => {});
  return child;
}

/** Lowers the autogroup of a child: with autogroups (sched(7)), `nice` counts only in a session. */
function lowerGroup(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(BACKGROUND));
  } catch {
    // This kernel has no autogroups.
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
    // The process has just ended.
  }
}
