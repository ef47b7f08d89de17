/** Runs wrk, the load generator, and parses its output. @module */

import { spawnSync } from "node:child_process";
import process from "node:process";
import { CLIENT_PREFIX } from "../processes.ts";

/** How to install it. */
export const WRK_REMEDY: string = "wrk is not installed (Debian: apt-get install wrk)";

/** The job. */
export interface WrkJob {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A Lua script. */
  readonly script?: string;
  /** For HTTPS: a configuration of OpenSSL, which names the cipher; wrk has no option for it. */
  readonly opensslConfig?: string;
}

/** Result of a run. */
export interface WrkResult {
  readonly perSecond: number;
  readonly requests: number;
  /** Bytes, including heads. */
  readonly bytes: number;
  readonly p99Ms: number;
  /** Answers with a status of 400 or higher, and failed connections. */
  readonly errors: number;
}

/** Whether wrk is installed. */
export function hasWrk(): boolean {
  return spawnSync("wrk", ["-v"]).error === undefined;
}

/** Runs a load to its end. */
export function runWrk(
  { connections, headers = {}, opensslConfig, path, port, script, seconds }: WrkJob,
): WrkResult {
  const args = ["wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "--timeout", "8s"];
  for (const [name, value] of Object.entries(headers)) args.push("-H", `${name}: ${value}`);
  if (script !== undefined) args.push("-s", script);
  const scheme = opensslConfig === undefined ? "http" : "https";
  const [command, ...rest] = [...CLIENT_PREFIX, ...args, `${scheme}://127.0.0.1:${port}${path}`];
  const env = { ...process.env, ...opensslConfig && { OPENSSL_CONF: opensslConfig } };
  const { error, status, stderr, stdout } = spawnSync(command!, rest, { encoding: "utf8", env });
  if (status !== 0) throw new Error(`wrk failed: ${stderr}`, { cause: error });
  const figure = (pattern: RegExp) => pattern.exec(stdout);
  const [, requests = "0", amount = "0", unit = ""] =
    figure(/(\d+) requests in [\d.]+m?s, ([\d.]+)([KMGT]?)B read/) ?? [];
  const [, late = "0", lateUnit = "ms"] = figure(/ 99%\s+([\d.]+)(us|ms|s)/) ?? [];
  const bad = Number(figure(/Non-2xx or 3xx responses: (\d+)/)?.[1] ?? 0);
  const [, ...troubles] =
    figure(/Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/) ?? [];
  return {
    perSecond: Number(figure(/Requests\/sec:\s+([\d.]+)/)?.[1] ?? 0),
    requests: Number(requests),
    bytes: Number(amount) * 1024 ** " KMGT".indexOf(unit || " "),
    p99Ms: Number(late) * { us: 0.001, ms: 1, s: 1000 }[lateUnit]!,
    errors: troubles.reduce((sum, text) => sum + Number(text), bad),
  };
}
