/** How each runtime runs a program, and tests under its native runner. @module */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** How one runtime is started. */
export interface Runner {
  /** Runtime and version. */
  readonly name: string;
  /** The backend to ask for by `SLUICE_FFI`; empty where the runtime has only one. */
  readonly ffi: "koffi" | "node" | "";
  /** The command that runs a program. */
  program(file: string): string[];
  /** The command that runs the tests of `file` and writes a JUnit report to `report`. */
  tests(file: string, report: string): string[];
}

/** The runtimes that `npm install` brings, in the order in which they run. */
export const RUNTIMES = ["node", "node-ffi", "bun", "deno"] as const;

/** Name of a runtime that `npm install` brings. */
export type RuntimeName = (typeof RUNTIMES)[number];

/** The runner of a runtime that `npm install` brought. */
export function installed(name: RuntimeName): Runner {
  const path = binary(name === "node-ffi" ? "node" : name);
  if (name === "node") return node(path);
  if (name === "node-ffi") return node(path, "node");
  return name === "bun" ? bun(path) : deno(path);
}

/**
 * The runner of a Node.js binary.
 *
 * The backend is always named, so that koffi failing to load cannot pass for a run on koffi. The
 * file is started as a program, not under `--test`: that starts a second process, and when this
 * one exits with 0 in the middle of a file it reports the tests it heard of and calls it a success.
 */
export function node(path: string, ffi: "koffi" | "node" = "koffi"): Runner {
  const name = `node ${print(path, "-p", "process.versions.node")}`;
  const spec = ["--test-reporter=spec", "--test-reporter-destination=stdout"];
  const junit = ["--test-reporter=junit", "--test-reporter-destination"];
  return {
    name,
    ffi,
    program: (file) => [path, file],
    tests: (file, report) => [path, ...spec, ...junit, report, file],
  };
}

/** The runner of a Bun binary. */
export function bun(path: string): Runner {
  return {
    name: `bun ${print(path, "-p", "Bun.version")}`,
    ffi: "",
    program: (file) => [path, file],
    tests: (file, report) => [
      path,
      "test",
      // Neither of the other runners ends a test that takes more than 5 seconds.
      "--timeout=600000",
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      // Without a leading "/" or "./" the name is a filter.
      file,
    ],
  };
}

/** The runner of a Deno binary. */
export function deno(path: string): Runner {
  return {
    name: `deno ${print(path, "eval", "console.log(Deno.version.deno)")}`,
    ffi: "",
    program: (file) => [path, "run", "--allow-all", "--no-check", file],
    tests: (file, report) => [
      path,
      "test",
      "--allow-all",
      "--no-check",
      `--junit-path=${report}`,
      file,
    ],
  };
}

function binary(name: string): string {
  const path = fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url));
  if (!existsSync(path)) throw new Error(`Cannot find ${path}: run \`npm install\` first`);
  return path;
}

function print(path: string, ...args: string[]): string {
  return execFileSync(path, args, { encoding: "utf8" }).trim();
}
