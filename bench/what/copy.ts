/** copyFile() beside fs.copyFile() and cp(1), and what it leaves in the page cache. @module */

import { closeSync, openSync, unlinkSync } from "node:fs";
import { copyFile } from "../../src/mod.ts";
import { cachestat } from "../../src/sys/raw/mod.ts";
import type { CopyTimes } from "../client/copy.ts";
import type { Context } from "../context.ts";
import { commandFor, versionOf } from "../environment.ts";
import { drop } from "../measure/page_cache.ts";
import { ratios, summarize, type Summary } from "../measure/stats.ts";
import { compilePeer } from "../peers.ts";
import { run } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import { type ServedFile, sha256Of, type Workspace } from "../workspace.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const SIZES = [64 * KIB, MIB, 16 * MIB, 256 * MIB];
/** Copies in one process by size; their median counts. The small ones warm the program up. */
const REPEATS = new Map([[64 * KIB, 150], [MIB, 75], [16 * MIB, 15], [256 * MIB, 7]]);
/** Largest file that is copied in C, too: larger ones are moved by other calls. */
const MOST_IN_C = MIB;
const IN_C = "C";
/** Most time, as a multiple of `fs.copyFile`'s. */
const OF_FS = 1.05;
/** Most bytes that a copy with `cache: "drop"` may leave in the page cache. */
const LEFT = 1e6;

type CommandOf = (args: readonly string[]) => Parameters<typeof run>[0];

/** Runs the benchmark. */
export async function copy({ workspace, runtimes, peers, rounds, note }: Context): Promise<Report> {
  const files = SIZES.map((size) => workspace.file(`${size}`, size));
  const samples: { runtime: string; size: number; times: Record<string, number> }[] = [];
  const script = workspace.script("client/copy");
  const installed = runtimes.filter((name) => versionOf(name) !== undefined);
  const wanted = peers.has("c");
  const program = wanted ? compilePeer(workspace, "copy") : undefined;
  if (wanted && program === undefined) note("no C compiler: measured without the bound");
  await verifyBytes(files);
  const measure = async (runtime: string, file: ServedFile, argv: CommandOf) => {
    const args = [file.path, workspace.files, String(REPEATS.get(file.size))];
    const all = await run<CopyTimes>(argv(args));
    const medians = Object.entries(all).map(([name, ms]) => [name, summarize(ms).median]);
    samples.push({ runtime, size: file.size, times: Object.fromEntries(medians) });
  };
  for (let round = 1; round <= rounds; round++) {
    for (const runtime of installed) {
      for (const file of files) {
        note(`round ${round}, ${runtime}, ${file.size / KIB} KiB`);
        await measure(runtime, file, (args) => commandFor(runtime, script, args));
      }
    }
    for (const file of files) {
      if (program === undefined || file.size > MOST_IN_C) continue;
      await measure(IN_C, file, (args) => ({ argv: [program, ...args] }));
    }
  }
  const rows: string[][] = [];
  const bars: Bar[] = [];
  const names = Object.keys(samples[0]!.times);
  for (const runtime of [...installed, IN_C]) {
    for (const size of SIZES) {
      const own = samples.filter((each) => each.runtime === runtime && each.size === size);
      if (own.length === 0) continue;
      const ms = (name: string) => own.map(({ times }) => times[name]!);
      const subject = `${runtime}, ${size / KIB} KiB`;
      rows.push([
        subject,
        ...names.map((name) => name in own[0]!.times ? spread(summarize(ms(name))) : ""),
      ]);
      if (runtime === IN_C) continue;
      for (const over of ["", ", over a file"]) {
        bars.push({
          subject: subject + over,
          what: "copyFile / fs.copyFile",
          value: ratios(ms(`copyFile${over}`), ms(`fs.copyFile${over}`)),
          limit: OF_FS,
          wanted: "at most",
        });
      }
    }
  }
  const columns = ["ms", ...names];
  const cold = files.at(-1)!;
  for (const cache of ["keep", "drop"] as const) {
    note(`page cache, ${cache}`);
    const left = await growth(cold, workspace, cache);
    if (cache === "keep") rows.push([`MB left in the page cache, keep`, number(left / 1e6)]);
    else {bars.push({
        subject: "drop",
        what: "bytes cached",
        value: one(left),
        limit: LEFT,
        wanted: "at most",
      });}
  }
  return {
    title: "copy: copyFile() beside fs.copyFile() and cp",
    method: [
      `Into a new name, from the page cache, on ${workspace.files.split("/")[1]}; the median of ` +
      `${
        [...REPEATS.values()].join(", ")
      } copies by size, in turns, in each of ${rounds} rounds; ` +
      `a check of the bytes comes first. "over a file": the target is an existing file of 64 KiB.`,
      "C: the system calls of both, without a runtime (bench/peers/copy.c): what a copy costs that has no name until it is complete.",
      '"drop": a cold file of 256 MiB is copied with cache: "drop", then cachestat(2) counts the pages of both files.',
    ],
    columns,
    rows: rows.map((row) => [...row, ...new Array(columns.length - row.length).fill("")]),
    bars,
    samples,
  };
}

async function verifyBytes(files: readonly ServedFile[]): Promise<void> {
  for (const { path, sha256 } of files) {
    for (const cache of ["keep", "drop"] as const) {
      const target = `${path}.copy`;
      await copyFile(path, target, { cache });
      if (sha256Of(target) !== sha256) throw new Error(`copyFile() copied ${path} wrongly`);
      unlinkSync(target);
    }
  }
}

/** Returns the bytes of both files in the page cache after a cold copy. */
async function growth(
  { path }: ServedFile,
  workspace: Workspace,
  cache: "keep" | "drop",
): Promise<number> {
  const target = `${workspace.files}/growth`;
  await drop(path);
  await copyFile(path, target, { cache });
  const bytes = cachedBytes(path) + cachedBytes(target);
  unlinkSync(target);
  return bytes;
}

function cachedBytes(path: string): number {
  const fd = openSync(path, "r");
  const counts = new BigUint64Array(5);
  const result = cachestat(fd, 0, 0, counts);
  closeSync(fd);
  if (result < 0) throw new Error("This kernel has no cachestat(2)");
  return Number(counts[0]) * 4096;
}

function one(value: number): Summary {
  return { median: value, min: value, max: value };
}
