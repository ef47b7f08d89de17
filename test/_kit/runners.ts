/** Runs programs, and tests with the native runner, on each runtime. @module */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** How to start one runtime. */
export interface Runner {
  /** Runtime and version. */
  readonly name: string;
  /** Backend for `SLUICE_FFI`; empty if the runtime has only one. */
  readonly ffi: "koffi" | "node" | "";
  /** The command that runs a program. */
  program(file: string): string[];
  /** The command that runs the tests of `file` and writes a JUnit report to `report`. */
  tests(file: string, report: string): string[];
}

/** The runtimes that `npm install` installs, in the order in which they run. */
export const RUNTIMES = ["node", "node-ffi", "bun", "deno"] as const;

/** Name of a runtime that `npm install` installs. */
export type RuntimeName = (typeof RUNTIMES)[number];

/** The runner of an installed runtime. */
export function installed(name: RuntimeName): Runner {
  const path = binary(name === "node-ffi" ? "node" : name);
  if (name === "node") return node(path);
  if (name === "node-ffi") return node(path, "node");
  return name === "bun" ? bun(path) : deno(path);
}

/** Prints each failure when it happens. */
const REPORTER = new URL("reporter.js", import.meta.url).href;

/**
 * The runner of a Node.js binary.
 *
 * The backend is always named, so that a run without koffi cannot pass for a run on koffi. The file
 * is started as a program, not under `--test`. That flag starts a second process. If it exits with
 * 0 in the middle of a file, `--test` reports the tests so far as a success.
 */
export function node(path: string, ffi: "koffi" | "node" = "koffi"): Runner {
  const name = `node ${print(path, "-p", "process.versions.node")}`;
  const own = [`--test-reporter=${REPORTER}`, "--test-reporter-destination=stdout"];
  const junit = ["--test-reporter=junit", "--test-reporter-destination"];
  return {
    name,
    ffi,
    program: (file) => [path, file],
    tests: (file, report) => [path, ...own, ...junit, report, file],
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
      // The other two runners don't end tests after 5 seconds.
      "--timeout=600000",
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      // Without a leading "/" or "./", the name is a filter.
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
