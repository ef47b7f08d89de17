/** `sluice copy`: copies one file and shows the progress. @module */

import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import process from "node:process";
import { Command, InvalidArgumentError, Option } from "commander";
import type { CopyReport } from "../../move/copy_file/copy_file.ts";
import type { CopyOptions } from "../../move/copy_file/options.ts";
import { interruptible } from "../exit.ts";
import { print, shown } from "../output.ts";
import { number, seconds, size } from "../quantity.ts";
import { withRemedy } from "./copy_remedy.ts";

const METHODS = ["auto", "reflink", "range", "sendfile", "splice", "direct", "mmap", "copy"];
const CACHES = ["keep", "drop"];

interface Options {
  readonly method: NonNullable<CopyOptions["method"]>;
  readonly cache: NonNullable<CopyOptions["cache"]>;
  readonly rate?: number;
  readonly times: boolean;
  readonly durable: boolean;
  readonly inPlace: boolean;
  /** False with `--no-overwrite`. */
  readonly overwrite: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** The command. */
export const copy: Command = new Command("copy")
  .description("copies a file; the copy appears when it is complete")
  .argument("<source>", "file to copy")
  .argument("<target>", "the copy, or a folder to put it in")
  .addOption(new Option("--method <name>", "method to use").choices(METHODS).default("auto"))
  .addOption(
    new Option("--cache <what>", '"drop" leaves the page cache as it was').choices(CACHES)
      .default("keep"),
  )
  .option("--rate <bytes>", "most bytes per second, such as 500k, 20M or 1G", rate)
  .option("--times", "preserve the times of the file", false)
  .option("--durable", "wait until the data is on disk", false)
  .option("--in-place", "write into an existing target instead of replacing it", false)
  .option("--no-overwrite", "fail if the target exists")
  .option("-q, --quiet", "print nothing", false)
  .option("--json", "print the result as JSON", false)
  .action((source: string, target: string, options: Options) =>
    interruptible(async (signal) => {
      try {
        await run(source, target, options, signal);
      } catch (error) {
        // The exit code is set. Ctrl-C needs no message.
        if (!signal.aborted) throw withRemedy(error, { source, target, method: options.method });
      }
    })
  );

async function run(
  source: string,
  target: string,
  options: Options,
  signal: AbortSignal,
): Promise<void> {
  const { copyFile } = await import("../../mod.ts");
  const { method, cache, rate: maxRate, times, durable, inPlace, overwrite } = options;
  const to = await inFolder(source, target);
  const bar = options.quiet || options.json ? undefined : await progressBar();
  let report: CopyReport;
  try {
    const atomic = !inPlace;
    const how = { method, cache, maxRate, times, durable, atomic, overwrite, signal };
    report = await copyFile(source, to, {
      ...how,
      ...(bar && { onProgress: ({ bytes, total }) => bar.show(bytes, total) }),
    });
  } finally {
    bar?.end();
  }
  if (options.json) print(JSON.stringify({ source, target: to, ...report }));
  else if (!options.quiet) print(sentence(source, to, report));
}

/** Returns the path in a target folder, as cp(1) does. */
async function inFolder(source: string, target: string): Promise<string> {
  const folder = await stat(target).then((stats) => stats.isDirectory(), () => false);
  return folder ? join(target, basename(source)) : target;
}

function sentence(source: string, target: string, report: CopyReport): string {
  const { bytes, durationMs, methods } = report;
  const speed = durationMs > 0 ? `, ${size(bytes / (durationMs / 1000))}/s` : "";
  const how = methods.length > 0 ? methods.join(", then ") : "nothing to move";
  return `${shown(source)} -> ${shown(target)}: ${size(bytes)} in ${
    number(durationMs)
  } ms${speed} (${how})`;
}

interface Bar {
  show(bytes: number, total: number): void;
  end(): void;
}

/** Draws on standard error, and on a terminal only, so that standard output stays one line. */
async function progressBar(): Promise<Bar | undefined> {
  if (!process.stderr.isTTY) return undefined;
  const { default: progress } = await import("cli-progress");
  const bar = new progress.SingleBar({
    format: "{bar} {percentage} %  {done} of {all}  {speed}/s  {left} left",
    stream: process.stderr,
    barCompleteChar: "\u2588",
    barIncompleteChar: "\u2591",
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    gracefulExit: false,
  });
  const startedMs = performance.now();
  let started = false;
  const stop = () => bar.stop();
  return {
    show(bytes, total) {
      const elapsed = (performance.now() - startedMs) / 1000;
      const speed = elapsed > 0 ? bytes / elapsed : 0;
      const left = speed > 0 ? seconds(Math.max(0, total - bytes) / speed) : "?";
      const texts = { done: size(bytes), all: size(total), speed: size(speed), left };
      if (started) return bar.update(bytes, texts);
      started = true;
      // The bar has hidden the cursor. A second Ctrl-C ends the process before end() could show it.
      process.once("exit", stop);
      bar.start(total, bytes, texts);
    },
    end() {
      process.off("exit", stop);
      if (started) stop();
    },
  };
}

const UNITS: Record<string, number> = { "": 1, k: 1e3, m: 1e6, g: 1e9 };

function rate(text: string): number {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)([kmg]?)$/i.exec(text) ?? [];
  const bytes = Number(digits) * UNITS[unit.toLowerCase()]!;
  if (bytes > 0) return bytes;
  throw new InvalidArgumentError("Expected bytes per second, such as 500k, 20M or 1G.");
}
