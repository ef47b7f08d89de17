/** The machine and the runtimes of a benchmark. @module */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, cpus, loadavg, release } from "node:os";

/** A JavaScript runtime; `node-ffi` is Node.js with `node:ffi` instead of koffi. */
export type RuntimeName = "node" | "node-ffi" | "bun" | "deno";

/** All runtimes, in the order of the reports. */
export const RUNTIMES: readonly RuntimeName[] = ["node", "node-ffi", "bun", "deno"];

/** A command with its environment. */
export interface Command {
  readonly argv: readonly string[];
  readonly env?: Record<string, string>;
}

const PREFIXES: Record<RuntimeName, Command> = {
  "node": { argv: ["node"], env: { SLUICE_FFI: "koffi" } },
  "node-ffi": { argv: ["node"], env: { SLUICE_FFI: "node", NODE_NO_WARNINGS: "1" } },
  "bun": { argv: ["bun"] },
  "deno": { argv: ["deno", "run", "-A", "--no-check"] },
};

/** Returns the command that runs a compiled file on a runtime. */
export function commandFor(runtime: RuntimeName, file: string, args: readonly string[]): Command {
  const { argv, env } = PREFIXES[runtime];
  return { argv: [...argv, file, ...args], ...(env && { env }) };
}

/** Raises the limit of descriptors as far as is permitted; a shell may have lowered it. */
export function unlimited({ argv, env }: Command): Command {
  const script = 'ulimit -Sn "$(ulimit -Hn)"; exec "$@"';
  return { argv: ["bash", "-c", script, "bash", ...argv], ...(env && { env }) };
}

/** Version of a runtime, or `undefined` where it is not installed. */
export function versionOf(runtime: RuntimeName): string | undefined {
  return firstLine(PREFIXES[runtime].argv[0]!, ["--version"]);
}

/** Returns the version of nginx, or `undefined` if it is not installed. */
export function nginxVersion(): string | undefined {
  return firstLine("nginx", ["-v"]);
}

/** Returns the version of HAProxy, or `undefined` if it is not installed. */
export function haproxyVersion(): string | undefined {
  return firstLine("haproxy", ["-v"]);
}

/** Returns the version of Caddy, or `undefined` if it is not installed. */
export function caddyVersion(): string | undefined {
  return firstLine("caddy", ["version"]);
}

/** Returns the version of h2o, or `undefined` if it is not installed. */
export function h2oVersion(): string | undefined {
  return firstLine("h2o", ["-v"]);
}

/** Whether processes can be pinned to the two processors that the benchmarks need. */
export function canPin(): boolean {
  return cpus().length > 1 && firstLine("taskset", ["--version"]) !== undefined;
}

/** Describes the machine in one line. */
export function machine(): string {
  const processors = cpus();
  return `${processors.length} x ${processors[0]?.model ?? arch()}, ${arch()}, kernel ${
    release().split("-")[0]
  }`;
}

/** Describes the load before the benchmark. Other programs add to every latency. */
export function loadBefore(): string {
  return `load average before: ${loadavg()[0]!.toFixed(1)}`;
}

function firstLine(command: string, args: string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  // nginx prints its version to stderr.
  return status === 0 ? (stdout || stderr).trim().split("\n", 1)[0]! : undefined;
}

/** Describes the congestion control of a connection that does not choose one. */
export const CONGESTION: string = "Congestion control: " +
  readFileSync("/proc/sys/net/ipv4/tcp_congestion_control", "latin1").trim() +
  " by the system's default; if that one paces, sluice uses reno over loopback.";
