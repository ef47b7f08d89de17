/** `sluice compare`: what each way of moving a file costs on this machine. @module */

import process from "node:process";
import { Command, InvalidArgumentError, Option } from "commander";
import { available } from "../../sys/libc.ts";
import { capabilities } from "../../capabilities.ts";
import { interruptible } from "../exit.ts";
import { print, windowWidth } from "../output.ts";
import { painter } from "../style.ts";
import type { CacheState, Comparison, TargetName } from "../compare/types.ts";

const MB = 1024 * 1024;
const TARGETS = ["socket", "file", "pipe", "two"];
const CACHES = ["warm", "cold"];

interface Options {
  readonly to: TargetName[];
  readonly cache: CacheState[];
  readonly methods: string[];
  readonly rounds: number;
  readonly size: number;
  readonly temp?: string;
  readonly json?: boolean;
  readonly html?: string;
}

/** The command. Its parts are loaded when it runs. */
export const compare: Command = new Command("compare")
  .description("measures every way of moving a file, and says which one it would choose")
  .argument("[file]", "the file to move; without one, random bytes are made")
  .addOption(choice("--to <list>", `some of ${TARGETS.join(",")}`, list(TARGETS), TARGETS))
  .addOption(choice("--cache <list>", `some of ${CACHES.join(",")}`, list(CACHES), CACHES))
  .addOption(choice("--methods <list>", "some of the methods that --json names", split, []))
  .option("--rounds <n>", "interleaved rounds", integer(1, 1000), 3)
  .addOption(
    new Option("--size <mib>", "MiB of the file that is made").argParser(integer(1, 65536))
      .default(64),
  )
  .option("--temp <dir>", "folder for temporary files (default: that of the system)")
  .option("--json", "print every figure as JSON")
  .option("--html <file>", "also write a page with charts and pictures")
  .action((file: string | undefined, options: Options) =>
    interruptible(async (signal) => {
      try {
        await run(file, options, signal);
      } catch (error) {
        // Whoever pressed Ctrl-C knows; the exit code is set.
        if (!signal.aborted) throw error;
      }
    })
  );

/** The processes that the command starts; not for the help. */
export const compareParts: readonly Command[] = [
  new Command("compare-part").argument("<job>").action(async (job: string) => {
    const { runPart } = await import("../compare/part.ts");
    await runPart(job);
  }),
  new Command("compare-sink").argument("<job>").action(async (job: string) => {
    const { runSink } = await import("../compare/sink.ts");
    runSink(job);
  }),
];

async function run(file: string | undefined, options: Options, signal: AbortSignal): Promise<void> {
  if (!available()) throw new Error(`Cannot compare: ${capabilities().reason}`);
  const { compare: start } = await import("../compare/comparison.ts");
  const { METHODS } = await import("../compare/methods.ts");
  const { Page } = await import("../compare/page/file.ts");
  const unknown = options.methods.find((name) => !METHODS.some((method) => method.name === name));
  if (unknown !== undefined) {
    const names = METHODS.map(({ name }) => name).join(", ");
    throw new Error(`Cannot compare "${unknown}": the methods are ${names}`);
  }
  // Told at once, and not after a minute.
  const page = options.html === undefined ? undefined : new Page(options.html);
  const { to, cache, methods, rounds, size, temp, json = false } = options;
  const plan = {
    file,
    size: size * MB,
    rounds,
    targets: to,
    caches: cache,
    methods,
    temp,
    progress: progress(),
  };
  let comparison: Comparison;
  try {
    comparison = await start(plan, signal);
  } finally {
    // Also after Ctrl-C, which the terminal shows in that line, and before an error.
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }
  if (json) print(JSON.stringify(comparison, null, 2));
  else {
    const { render } = await import("../compare/table.ts");
    print(render(comparison, painter(), windowWidth()));
  }
  if (page === undefined) return;
  const { renderPage } = await import("../compare/page/mod.ts");
  page.write(await renderPage(comparison));
  if (!json) print(`\nThe page is ${options.html}`);
}

function progress(): (share: number, what: string) => void {
  if (!process.stderr.isTTY) return () => {};
  return (share, what) => {
    const percent = String(Math.floor(share * 100)).padStart(3);
    // A line that wraps could not be taken back.
    const line = `${percent} %  ${what}`.slice(0, (process.stderr.columns || 80) - 1);
    process.stderr.write(`\r\x1b[K${line}`);
  };
}

/** An option whose default, everything, the help names in one word. */
function choice(
  flags: string,
  text: string,
  parse: (value: string) => string[],
  initial: readonly string[],
): Option {
  return new Option(flags, text).argParser(parse).default(initial, "all");
}

function split(text: string): string[] {
  return text.split(",").filter((name) => name !== "");
}

function list(known: readonly string[]): (text: string) => string[] {
  return (text) => {
    const names = split(text);
    const wrong = names.find((name) => !known.includes(name));
    if (wrong === undefined && names.length > 0) return names;
    throw new InvalidArgumentError(`Expected some of ${known.join(",")}.`);
  };
}

function integer(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`Expected an integer in ${low}..${high}.`);
  };
}
