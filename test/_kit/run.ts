/**
 * `npm test`: the one suite, on every runtime, each under its own native runner.
 *
 * @module
 */

import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Tally } from "./junit.ts";
import { type Outcome, runFile, stopRunning } from "./run_file.ts";
import { bun, deno, installed, node, type Runner, type RuntimeName, RUNTIMES } from "./runners.ts";

const HELP = `Usage: npm test -- [options] [file or part of a path ...]

  --runtime LIST  some of ${RUNTIMES.join(",")} (default: all)
  --node PATH     another Node.js binary, with koffi; may be repeated; replaces the default list
  --bun PATH      another Bun, such as that for musl; replaces the default list, too
  --deno PATH     another Deno
  --patience N    multiplies the time limits, for a runtime that is emulated (default: 1)
  --none          with SLUICE_FFI=none: the tests that hold without foreign functions
  --stress        the long tests in test/stress, which are left out otherwise
  --retry N       repeat at most N files of each runtime in which a test failed, and no process
                  crashed or hung: a file that then passes is named as unstable (default: 0)
  --verbose       print the output of files that pass, too
  --help          print this

The last line is "N passed, N failed, N skipped", over all runtimes.
`;

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Paths whose tests hold without foreign functions; test/floor holds only without them. */
const FLOOR = ["test/floor/"];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: "string" },
    node: { type: "string", multiple: true, default: [] },
    bun: { type: "string", multiple: true, default: [] },
    deno: { type: "string", multiple: true, default: [] },
    patience: { type: "string", default: "1" },
    none: { type: "boolean", default: false },
    stress: { type: "boolean", default: false },
    retry: { type: "string", default: "0" },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const PATIENCE = Number(values.patience);

/** Seconds for one file, and for one runtime: a hang must end, a slow machine must not fail. */
const LIMITS = values.stress
  ? { file: 1800 * PATIENCE, runtime: 5400 * PATIENCE }
  : { file: 180 * PATIENCE, runtime: 900 * PATIENCE };

interface Row extends Tally {
  readonly label: string;
  seconds: number;
  /** Tests per file, to see whether every runtime ran the same ones. */
  readonly files: Map<string, number>;
  /** Files that passed only when they were repeated. */
  readonly unstable: string[];
}

if (values.help) {
  console.log(HELP);
} else {
  process.exitCode = await main();
}

async function main(): Promise<number> {
  const files = selectFiles();
  if (files.length === 0) throw new Error(`Cannot find a test file for: ${positionals.join(" ")}`);
  const runners = selectRunners();
  const folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
  process.once("exit", () => {
    stopRunning();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    process.once(signal, () => process.exit(code));
  }
  const rows: Row[] = [];
  for (const runner of runners) rows.push(await runAll(runner, files, folder));
  printDifferences(files, rows);
  return printTable(rows);
}

function selectFiles(): string[] {
  const found = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/${name}`)
    .filter((name) => name.startsWith("test/stress/") === values.stress)
    .filter((name) =>
      values.none ? FLOOR.some((p) => name.startsWith(p)) : !name.startsWith("test/floor/")
    )
    .sort();
  if (positionals.length === 0) return found;
  const named = positionals.filter((path) => path.endsWith(".test.ts") && existsSync(path));
  const parts = positionals.filter((path) => !named.includes(path));
  return [...named, ...found.filter((name) => parts.some((part) => name.includes(part)))];
}

function selectRunners(): Runner[] {
  const extra = [
    ...values.node.map((path) => node(path)),
    ...values.bun.map((path) => bun(path)),
    ...values.deno.map((path) => deno(path)),
  ];
  // Without foreign functions the two backends of Node.js are the same.
  const all = values.none ? RUNTIMES.filter((name) => name !== "node-ffi") : RUNTIMES;
  const names = values.runtime?.split(",") ?? (extra.length > 0 ? [] : all);
  for (const name of names) {
    if (!RUNTIMES.includes(name as RuntimeName)) {
      throw new Error(`Cannot test on "${name}": expected some of ${RUNTIMES.join(", ")}`);
    }
  }
  return [...names.map((name) => installed(name as RuntimeName)), ...extra];
}

async function runAll(runner: Runner, files: string[], folder: string): Promise<Row> {
  const ffi = values.none ? "none" : runner.ffi;
  const label = ffi === "" ? runner.name : `${runner.name}, SLUICE_FFI=${ffi}`;
  const row: Row = {
    label,
    passed: 0,
    failed: 0,
    skipped: 0,
    seconds: 0,
    files: new Map(),
    unstable: [],
  };
  const env = { SLUICE_FFI: ffi, SLUICE_TEST_DIR: folder, NO_COLOR: "1" };
  let retries = Number(values.retry);
  console.log(`\n${label}`);
  for (const file of files) {
    const limit = Math.ceil(Math.min(LIMITS.file, LIMITS.runtime - row.seconds));
    if (limit <= 0) {
      row.failed++;
      console.log(`  FAIL  ${file}: not run, ${LIMITS.runtime} s are over`);
      continue;
    }
    const run = async () => {
      const outcome = await runFile(runner, resolve(ROOT, file), { folder, env, limit });
      printOutcome(file, outcome);
      row.seconds += outcome.seconds;
      return outcome;
    };
    let outcome = await run();
    if (outcome.failed > 0 && outcome.trouble === undefined && retries-- > 0) {
      outcome = await run();
      if (outcome.failed === 0) row.unstable.push(file);
    }
    row.passed += outcome.passed;
    row.failed += outcome.failed;
    row.skipped += outcome.skipped;
    row.files.set(file, outcome.passed + outcome.failed + outcome.skipped);
  }
  return row;
}

function printOutcome(file: string, outcome: Outcome): void {
  const failed = outcome.failed > 0;
  const time = `${outcome.seconds.toFixed(1)} s`;
  console.log(`  ${failed ? "FAIL" : "ok  "}  ${file.padEnd(50)} ${sentence(outcome)}  ${time}`);
  if (failed || values.verbose) console.log(outcome.output.trimEnd());
  if (outcome.trouble !== undefined) console.log(`  FAIL  ${file}: ${outcome.trouble}`);
}

/** A test that one runtime drops without a word is worth a look, though it is no failure. */
function printDifferences(files: string[], rows: Row[]): void {
  for (const file of files) {
    const counts = rows.map((row) => row.files.get(file) ?? 0);
    if (new Set(counts).size < 2) continue;
    const list = rows.map(({ label }, i) => `${counts[i]} on ${label}`).join(", ");
    console.log(`\nNot the same number of tests everywhere: ${file}: ${list}`);
  }
}

/** Prints the table and the last line; returns the exit code. */
function printTable(rows: Row[]): number {
  const sum: Tally = { passed: 0, failed: 0, skipped: 0 };
  const width = Math.max(...rows.map((row) => row.label.length));
  console.log(`\n${"".padEnd(width)}  passed  failed  skipped  seconds`);
  for (const { label, passed, failed, skipped, seconds } of rows) {
    const cells = [String(passed).padStart(6), String(failed).padStart(6)];
    cells.push(String(skipped).padStart(7), seconds.toFixed(1).padStart(7));
    console.log([label.padEnd(width), ...cells].join("  "));
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped += skipped;
  }
  for (const { label, unstable } of rows) {
    for (const file of unstable) {
      console.log(`\nUnstable: ${file} on ${label} failed, and passed when it was repeated.`);
    }
  }
  const idle = rows.some(({ passed }) => passed === 0);
  if (idle) console.log("\nA runtime passed no test at all.");
  console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
  return sum.failed > 0 || idle ? 1 : 0;
}

function sentence({ passed, failed, skipped }: Tally): string {
  const parts = [`${passed} passed`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (skipped > 0) parts.push(`${skipped} skipped`);
  return parts.join(", ");
}
