/** Copies a file in several ways by turns and prints how long each took. @module */

import { spawnSync } from "node:child_process";
import { copyFile as theirs, rm } from "node:fs/promises";
import process from "node:process";
import { copyFile } from "../../src/mod.ts";

/** Milliseconds of each copy, by the name of the way. */
export type CopyTimes = Record<string, number[]>;

const [source = "", folder = "", repeats = ""] = process.argv.slice(2);

const ways: Record<string, (target: string) => unknown> = {
  "fs.copyFile": (target) => theirs(source, target),
  "copyFile": (target) => copyFile(source, target),
  "copyFile, in place": (target) => copyFile(source, target, { atomic: false }),
  "copyFile, drop": (target) => copyFile(source, target, { cache: "drop" }),
  "cp": (target) => spawnSync("cp", [source, target]),
};

const times: CopyTimes = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
// The first round is not counted: it starts the threads.
for (let i = 0; i <= Number(repeats); i++) {
  const all = Object.entries(ways);
  // Each way follows each other one: a copy pays for the writing back that the last one has left.
  for (const [name, way] of [...all.slice(i % all.length), ...all.slice(0, i % all.length)]) {
    const target = `${folder}/${name.replace(/\W/g, "-")}`;
    const startMs = performance.now();
    await way(target);
    if (i > 0) times[name]!.push(performance.now() - startMs);
    // Every copy makes a new file: emptying or replacing an old one costs more than small copies.
    await rm(target);
  }
}
console.log(JSON.stringify(times));
process.exit(0);
