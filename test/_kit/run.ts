/**
 * `npm test`: one suite, on every runtime, each with its own native runner.
 *
 * @module
 */

import { availableParallelism, cpus } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isAlone, turnOf } from "./apart.ts";
import type { Tally } from "./junit.ts";
import { inLanes } from "./lanes.ts";
import { type Outcome, runFile, stopRunning } from "./run_file.ts";
import { makeRunFolder, removeRunFolder } from "./run_folder.ts";
import { bun, deno, installed, node, type Runner, type RuntimeName, RUNTIMES } from "./runners.ts";
import { COVERED, type FileKind, isIn, selectFiles, turnToStart } from "./selection.ts";
import { strippedSources } from "./stripped.ts";

const HELP = `Usage: npm test -- [options] [file or part of a path ...]

  --runtime LIST  some of ${RUNTIMES.join(",")} (default: all)
  --node PATH     another Node.js binary, with koffi; may be repeated; replaces the default list,
                  but not one that --runtime names
  --node-ffi PATH another Node.js binary, with its own node:ffi
  --bun PATH      another Bun, such as that for musl; replaces the default list, too
  --deno PATH     another Deno
  --patience N    multiplies the time limits, for a runtime that is emulated (default: 1)
  --none          with SLUICE_FFI=none: the tests that hold without foreign functions
  --and-none      these, too, beside the others
  --partly-node PATH, --partly-node-ffi PATH, --partly-bun PATH, --partly-deno PATH
                  another version, beside the others, on which only the tests run that depend on the
                  runtime (test/_kit/selection.ts has them); may be repeated
  --stress        the long tests in test/stress, which are left out otherwise
  --jobs N        files that are run at a time; test/_kit/apart.ts has those that run alone, and
                  why (default: two for each processor, and up to six while they mostly wait)
  --retry N       repeat at most N files of each runtime in which a test failed or hung, and no
                  process crashed, alone: one that then passes is named as unstable (default: 0)
  --coverage DIR  collect in this folder which code the tests of the first runtime reach, and those
                  of Node.js without foreign functions, in children and Workers, too; Node.js only
  --verbose       print the output of files that pass, too
  --help          print this

The last line is "N passed, N failed, N skipped", over all runtimes.
`;

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: "string" },
    node: { type: "string", multiple: true, default: [] },
    "node-ffi": { type: "string", multiple: true, default: [] },
    bun: { type: "string", multiple: true, default: [] },
    deno: { type: "string", multiple: true, default: [] },
    patience: { type: "string", default: "1" },
    none: { type: "boolean", default: false },
    "and-none": { type: "boolean", default: false },
    "partly-node": { type: "string", multiple: true, default: [] },
    "partly-node-ffi": { type: "string", multiple: true, default: [] },
    "partly-bun": { type: "string", multiple: true, default: [] },
    "partly-deno": { type: "string", multiple: true, default: [] },
    stress: { type: "boolean", default: false },
    jobs: { type: "string" },
    retry: { type: "string", default: "0" },
    coverage: { type: "string" },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const PATIENCE = Number(values.patience);

/** Seconds for one file, and in total: a hang must end, a slow machine must not fail. */
const LIMITS = values.stress
  ? { file: 1800 * PATIENCE, all: 4 * 3600 * PATIENCE }
  : { file: 300 * PATIENCE, all: 5400 * PATIENCE };

/** One runtime. */
interface Row extends Tally {
  readonly label: string;
  readonly runner: Runner;
  readonly files: readonly string[];
  readonly none: boolean;
  /** Environment for a file. */
  env(file: string): Record<string, string>;
  /** Total time of its files. */
  seconds: number;
  /** Total processor time of its files. */
  cpuSeconds: number;
  /** Last outcome of each file. */
  readonly outcomes: Map<string, Outcome>;
  /** Files that passed only when repeated. */
  readonly unstable: string[];
}

/** One file on one runtime. */
interface Task {
  readonly row: Row;
  readonly file: string;
}

if (values.help) {
  console.log(HELP);
} else {
  process.exitCode = await main();
}

async function main(): Promise<number> {
  const lanes = Number(values.jobs ?? availableParallelism() * 2);
  if (!Number.isInteger(lanes) || lanes < 1) {
    throw new Error(`Cannot run ${values.jobs} files at a time: it must be 1 or more`);
  }
  const selected = selectRows();
  if (selected.every(({ files }) => files.length === 0)) {
    throw new Error(`Cannot find a test file for: ${positionals.join(" ")}`);
  }
  const folder = makeRunFolder();
  process.once("exit", () => {
    stopRunning();
    removeRunFolder(folder);
  });
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    process.once(signal, () => process.exit(code));
  }
  const rows = selected.filter(({ files }) => files.length > 0)
    .map((selection) => makeRow(selection, folder, selection.runner === selected[0]!.runner));
  await runAll(rows, folder, lanes);
  for (const row of rows) sum(row);
  printDifferences(rows);
  printFailures(rows);
  return printTable(rows);
}

/** One runtime, and what runs on it. */
interface Selection {
  readonly runner: Runner;
  readonly files: readonly string[];
  /** Without foreign functions. */
  readonly none: boolean;
}

function selectRows(): Selection[] {
  const select = (runners: Runner[], kind: FileKind): Selection[] => {
    const files = selectFiles(kind, positionals);
    return runners.map((runner) => ({ runner, files, none: kind === "none" }));
  };
  const runners = selectRunners();
  const whole = select(runners, values.stress ? "stress" : values.none ? "none" : "all");
  const partly = [
    ...values["partly-node"].map((path) => node(path)),
    ...values["partly-node-ffi"].map((path) => node(path, "node")),
    ...values["partly-bun"].map((path) => bun(path)),
    ...values["partly-deno"].map((path) => deno(path)),
  ];
  // Without foreign calls, the two backends of Node.js are the same, and one version is enough.
  const programs = new Set<string>();
  const none = !values["and-none"] ? [] : runners.filter(({ name }) => {
    const [program] = name.split(" ") as [string];
    return !programs.has(program) && programs.add(program);
  });
  return [...whole, ...select(none, "none"), ...select(partly, "runtime")];
}

function selectRunners(): Runner[] {
  const extra = [
    ...values.node.map((path) => node(path)),
    ...values["node-ffi"].map((path) => node(path, "node")),
    ...values.bun.map((path) => bun(path)),
    ...values.deno.map((path) => deno(path)),
  ];
  // Without foreign calls, the two backends of Node.js are the same.
  const all = values.none ? RUNTIMES.filter((name) => name !== "node-ffi") : RUNTIMES;
  const names = values.runtime?.split(",") ?? (extra.length > 0 ? [] : all);
  for (const name of names) {
    if (!RUNTIMES.includes(name as RuntimeName)) {
      throw new Error(`Cannot test on "${name}": expected some of ${RUNTIMES.join(", ")}`);
    }
  }
  return [...names.map((name) => installed(name as RuntimeName)), ...extra];
}

function makeRow({ runner, files, none }: Selection, folder: string, counted: boolean): Row {
  const ffi = none ? "none" : runner.ffi;
  const shared = {
    SLUICE_FFI: ffi,
    SLUICE_TEST_DIR: folder,
    // Tests and children that are killed leave files here; the run removes them.
    TMPDIR: join(folder, "tmp"),
    NO_COLOR: "1",
    ...(runner.name.startsWith("node ") ? strippedSources(folder) : {}),
  };
  // Node.js compiles every file again in each of the hundreds of processes.
  const fast = { ...shared, NODE_COMPILE_CACHE: join(folder, "compiled") };
  // Coverage counts functions from the compile cache as a whole, not line by line.
  const { coverage } = values;
  const slow = coverage !== undefined && counted
    ? { ...shared, NODE_V8_COVERAGE: resolve(coverage) }
    : fast;
  return {
    label: ffi === "" ? runner.name : `${runner.name}, SLUICE_FFI=${ffi}`,
    runner,
    files,
    none,
    env: (file) => isIn(COVERED, file) ? slow : fast,
    passed: 0,
    failed: 0,
    skipped: 0,
    seconds: 0,
    cpuSeconds: 0,
    outcomes: new Map(),
    unstable: [],
  };
}

/** Runs every file on every runtime, then repeats failed files that may be repeated. */
async function runAll(rows: Row[], folder: string, lanes: number): Promise<void> {
  const run = async ({ row, file }: Task) => {
    const limit = Math.ceil(Math.min(LIMITS.file, LIMITS.all - performance.now() / 1000));
    const outcome = limit > 0
      ? await runFile(row.runner, resolve(ROOT, file), { folder, env: row.env(file), limit })
      : notRun(`not run, ${LIMITS.all} s are over`);
    printOutcome(row, file, outcome);
    row.seconds += outcome.seconds;
    row.cpuSeconds += outcome.cpuSeconds;
    row.outcomes.set(file, outcome);
  };
  const tasks = rows.flatMap((row) => row.files.map((file) => ({ row, file })))
    .sort((a, b) => turnToStart(a.file) - turnToStart(b.file));
  await inLanes<Task>(tasks, {
    lanes,
    spare: values.jobs === undefined ? availableParallelism() * 4 : 0,
    idle: idleMeter(),
    turn: ({ file }) => turnOf(file),
    alone: ({ file }) => isAlone(file),
  }, run);
  for (const row of rows) {
    const failed = [...row.outcomes].filter(([, { failed, crashed }]) => failed > 0 && !crashed);
    for (const [file] of failed.slice(0, Number(values.retry))) {
      await run({ row, file });
      if (row.outcomes.get(file)!.failed === 0) row.unstable.push(file);
    }
  }
}

/** Tells at each call whether a third of the processors' time since the last one was not used. */
function idleMeter(): () => boolean {
  const times = () => {
    const all = cpus().map((each) => each.times);
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    return [sum(all.map(({ idle }) => idle)), sum(all.flatMap((each) => Object.values(each)))];
  };
  let [idleBefore, before] = times() as [number, number];
  return () => {
    const [idle, all] = times() as [number, number];
    const share = (idle - idleBefore) / (all - before);
    [idleBefore, before] = [idle, all];
    return share > 1 / 3;
  };
}

function notRun(trouble: string): Outcome {
  const nothing = { passed: 0, failed: 1, skipped: 0, failures: [], seconds: 0, cpuSeconds: 0 };
  return { ...nothing, output: "", hang: undefined, trouble, crashed: true };
}

function sum(row: Row): void {
  for (const { passed, failed, skipped } of row.outcomes.values()) {
    row.passed += passed;
    row.failed += failed;
    row.skipped += skipped;
  }
}

function printOutcome({ label }: Row, file: string, outcome: Outcome): void {
  const failed = outcome.failed > 0;
  const line = `${failed ? "FAIL" : "ok  "}  ${label.padEnd(30)}  ${file.padEnd(45)}`;
  const time = `${outcome.seconds.toFixed(1)} s, cpu ${outcome.cpuSeconds.toFixed(1)} s`;
  console.log(`${line}  ${sentence(outcome)}  ${time}`);
  if (failed || values.verbose) console.log(outcome.output.trimEnd());
  if (outcome.hang !== undefined) console.log(`\nWhen it was killed:\n${outcome.hang}\n`);
  if (outcome.trouble !== undefined) console.log(`FAIL  ${label}  ${file}: ${outcome.trouble}`);
}

/** Reports files with fewer tests on one runtime, which is worth a look, but not a failure. */
function printDifferences(rows: Row[]): void {
  for (const file of new Set(rows.flatMap(({ files }) => files))) {
    const counts: string[] = [];
    const different = new Set<string>();
    for (const { label, none, outcomes } of rows) {
      const outcome = outcomes.get(file);
      if (outcome === undefined) continue;
      const total = outcome.passed + outcome.failed + outcome.skipped;
      counts.push(`${total} on ${label}`);
      // Fewer are expected without foreign functions.
      different.add(`${none} ${total}`);
    }
    if (different.size === new Set([...different].map((text) => text.split(" ")[0])).size) continue;
    console.log(`\nNot the same number of tests everywhere: ${file}: ${counts.join(", ")}`);
  }
}

/** Prints failures again at the end, because their output is far above by then. */
function printFailures(rows: Row[]): void {
  for (const { label, outcomes } of rows) {
    for (const [file, { failed, failures, trouble, output, hang }] of outcomes) {
      if (failed === 0) continue;
      console.log(`\nFailed: ${file} on ${label}`);
      for (const reason of [...failures, trouble ?? []].flat()) console.log(`  ${reason}`);
      // After a crash or a hang, only this shows where it was.
      if (trouble !== undefined) console.log(output.trimEnd().split("\n").slice(-60).join("\n"));
      if (hang !== undefined) console.log(`When it was killed:\n${hang}`);
    }
  }
}

/** Prints the table and the last line; returns the exit code. */
function printTable(rows: Row[]): number {
  const all: Tally = { passed: 0, failed: 0, skipped: 0 };
  const width = Math.max(...rows.map((row) => row.label.length));
  console.log(`\n${"".padEnd(width)}  passed  failed  skipped  seconds      cpu`);
  for (const { label, passed, failed, skipped, seconds, cpuSeconds } of rows) {
    const cells = [String(passed).padStart(6), String(failed).padStart(6)];
    cells.push(String(skipped).padStart(7));
    cells.push(...[seconds, cpuSeconds].map((time) => time.toFixed(1).padStart(7)));
    console.log([label.padEnd(width), ...cells].join("  "));
    all.passed += passed;
    all.failed += failed;
    all.skipped += skipped;
  }
  for (const { label, unstable } of rows) {
    for (const file of unstable) {
      console.log(`\nUnstable: ${file} on ${label} failed, and passed when it was repeated.`);
    }
  }
  const idle = rows.some(({ passed }) => passed === 0);
  if (idle) console.log("\nA runtime passed no test at all.");
  console.log(`\n${all.passed} passed, ${all.failed} failed, ${all.skipped} skipped`);
  return all.failed > 0 || idle ? 1 : 0;
}

function sentence({ passed, failed, skipped }: Tally): string {
  const parts = [`${passed} passed`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (skipped > 0) parts.push(`${skipped} skipped`);
  return parts.join(", ");
}
