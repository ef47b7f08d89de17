/**
 * Copies a file, and ends in the midst of it.
 *
 * `copy_ended.ts FROM TO HOW MOMENT OPTIONS`: HOW is `exit`, `throw` or the name of a signal that the
 * process sends to itself; MOMENT counts the reports of progress until then.
 *
 * @module
 */

import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { copyFile, type CopyOptions } from "../../../src/mod.ts";

const [from, to, how, moment, options] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
let reports = 0;

function end(): void {
  if (how === "exit") process.exit(7);
  if (how === "throw") throw new Error("on purpose");
  process.kill(process.pid, how);
}

const copy = copyFile(from, to, {
  ...JSON.parse(options) as CopyOptions,
  maxRate: 1 << 20,

  onProgress() {
    // Not in here: an error would be the copy's.
    if (++reports === Number(moment)) setTimeout(end);
  },
});
await Promise.race([copy, sleep(20_000)]);
console.log("copied");
