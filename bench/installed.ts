/** Lists the programs that benchmarks compare with, and which of them are installed. @module */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { RUNTIMES, versionOf } from "./environment.ts";

/** Programs: how each prints its version, and where to get it. */
const PROGRAMS: readonly (readonly [name: string, argv: readonly string[], from: string])[] = [
  ["nginx", ["nginx", "-v"], "Debian: nginx-light"],
  ["HAProxy", ["haproxy", "-v"], "Debian: haproxy"],
  ["Caddy", ["caddy", "version"], "Debian: caddy"],
  ["h2o", ["h2o", "-v"], "Debian: h2o"],
  ["wrk", ["wrk", "-v"], "Debian: wrk"],
  ["fio", ["fio", "--version"], "Debian: fio"],
  ["dd", ["dd", "--version"], "Debian: coreutils"],
  ["C", ["cc", "--version"], "Debian: gcc, libc6-dev"],
  ["CPython", ["python3", "--version"], "Debian: python3-minimal"],
  ["Java", ["java", "-version"], "Debian: default-jre-headless"],
];

const PACKAGES = ["send", "serve-static", "sirv", "express", "fastify", "@fastify/static", "hono"];

/** Returns one line per program, with its version or how to install it. */
export function listInstalled(): string[] {
  const runtimes = RUNTIMES.map((name) => line(name, versionOf(name), "npm install"));
  const programs = PROGRAMS.map(([name, argv, from]) => line(name, firstLine(argv), from));
  const packages = PACKAGES.map((name) => line(name, packageVersion(name), "npm install"));
  return [...runtimes, ...programs, ...packages];
}

function line(name: string, version: string | undefined, from: string): string {
  return `${name.padEnd(16)} ${version ?? `missing (${from})`}`;
}

/** Returns the first line of output. wrk fails with it, nginx and Java print it on stderr. */
function firstLine([command = "", ...args]: readonly string[]): string | undefined {
  const { error, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  return error === undefined ? (stdout || stderr).trim().split("\n", 1)[0] : undefined;
}

function packageVersion(name: string): string | undefined {
  try {
    const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
    return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  } catch {
    return undefined;
  }
}
