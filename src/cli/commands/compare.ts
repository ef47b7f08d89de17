/** `sluice compare`: measures what each way of moving a file costs. @module */

import process from "node:process";
import { Command, InvalidArgumentError, Option } from "commander";
import { available } from "../../sys/libc.ts";
import { interruptible, usageError } from "../exit.ts";
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

/** The command. Loads its parts when it runs. */
export const compare: Command = new Command("compare")
  .description("measures every way of moving a file, and recommends one")
  .argument("[file]", "the file to move; without it, a file of random bytes")
  .addOption(choice("--to <list>", `targets, from ${TARGETS.join(",")}`, list(TARGETS), TARGETS))
  .addOption(
    choice("--cache <list>", `cache states, from ${CACHES.join(",")}`, list(CACHES), CACHES),
  )
  .addOption(choice("--methods <list>", "methods, by the names in the output of --json", split, []))
  .option("--rounds <n>", "interleaved rounds", integer(1, 1000), 3)
  .addOption(
    new Option("--size <mib>", "MiB of the random file").argParser(integer(1, 65536))
      .default(64),
  )
  .option("--temp <dir>", "folder for temporary files (default: the system's)")
  .option("--json", "print every figure as JSON")
  .option("--html <file>", "also write a page with charts and pictures to this file")
  .action((file: string | undefined, options: Options) =>
    interruptible(async (signal) => {
      try {
        await run(file, options, signal);
      } catch (error) {
        // The exit code is set. Ctrl-C needs no message.
        if (!signal.aborted) throw error;
      }
    })
  );

/** Processes that the command starts; hidden from the help. */
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
  if (!available()) {
    const { capabilities } = await import("../../mod.ts");
    throw new Error(`Cannot compare: ${capabilities().reason}`);
  }
  const { compare: start } = await import("../compare/comparison.ts");
  const { METHODS } = await import("../compare/methods.ts");
  const { Page } = await import("../compare/page/file.ts");
  const unknown = options.methods.find((name) => !METHODS.some((method) => method.name === name));
  if (unknown !== undefined) {
    const names = METHODS.map(({ name }) => name).join(", ");
    throw usageError(`Cannot compare "${unknown}": the methods are ${names}`);
  }
  // Reports an unusable path now, not after a minute of measuring.
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
    // Clears the progress line, also after Ctrl-C and before an error.
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
  if (!json) print(`\nWrote the page ${options.html}`);
}

function progress(): (share: number, what: string) => void {
  if (!process.stderr.isTTY) return () => {};
  return (share, what) => {
    const percent = String(Math.floor(share * 100)).padStart(3);
    // A wrapped line could not be cleared.
    const line = `${percent} %  ${what}`.slice(0, (process.stderr.columns || 80) - 1);
    process.stderr.write(`\r\x1b[K${line}`);
  };
}

/** Creates an option whose help shows the default as "all". */
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
    throw new InvalidArgumentError(`Expected a comma-separated list of ${known.join(",")}.`);
  };
}

function integer(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`Expected an integer in ${low}..${high}.`);
  };
}
