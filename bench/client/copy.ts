/** Copies a file in several ways by turns, and prints the times. @module */

import { spawnSync } from "node:child_process";
import { copyFileSync as theirsSync } from "node:fs";
import { copyFile as theirs, rm, writeFile } from "node:fs/promises";
import process from "node:process";
import { copyFile, copyFileSync } from "../../src/mod.ts";

/** Milliseconds of each copy, by method. */
export type CopyTimes = Record<string, number[]>;

const [source = "", folder = "", repeats = ""] = process.argv.slice(2);

const OVER = ", over a file";
const ways: Record<string, (target: string) => unknown> = {
  "fs.copyFile": (target) => theirs(source, target),
  "copyFile": (target) => copyFile(source, target),
  [`fs.copyFile${OVER}`]: (target) => theirs(source, target),
  [`copyFile${OVER}`]: (target) => copyFile(source, target),
  "fs.copyFileSync": (target) => theirsSync(source, target),
  "copyFileSync": (target) => copyFileSync(source, target),
  "copyFile, in place": (target) => copyFile(source, target, { atomic: false }),
  "copyFile, drop": (target) => copyFile(source, target, { cache: "drop" }),
  "cp": (target) => spawnSync("cp", [source, target]),
};

/** Expensive methods, which run once in so many rounds. */
const RARE: Record<string, number> = { "copyFile, drop": 5, "cp": 5 };

const times: CopyTimes = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
const rounds = Number(repeats);
// The first rounds start the threads and the compiler, and do not count.
const warmUp = Math.ceil(rounds / 5);
for (let i = -warmUp; i < rounds; i++) {
  const all = Object.entries(ways).filter(([name]) => rounds < 10 || i % (RARE[name] ?? 1) === 0);
  const first = (i + warmUp) % all.length;
  // The order rotates, because each copy also pays for writing back the previous one.
  for (const [name, way] of [...all.slice(first), ...all.slice(0, first)]) {
    // Uses a new name each time, because the kernel also caches names that do not exist.
    const target = `${folder}/${name.replace(/\W/g, "-")}-${i}`;
    if (name.endsWith(OVER)) await writeFile(target, new Uint8Array(64 * 1024));
    const startMs = performance.now();
    await way(target);
    if (i >= 0) times[name]!.push(performance.now() - startMs);
    await rm(target);
  }
}
console.log(JSON.stringify(times));
process.exit(0);
