/**
 * Runs one operation on a file, and reports how long the event loop was blocked. The time in which it
 * could have gone on and other programs had the processors is not counted.
 *
 * `slow_probe.ts WHAT FOLDER FILE [DEADLINE_MS]`; writes a line when it begins, and then
 * `{ stallMs, length, sum, error }`.
 * After the deadline it stops by `process.exit()`.
 *
 * @module
 */

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process, { argv } from "node:process";
import { openSite, WAYS } from "./ways.ts";

const [what, folder, name, deadline] = argv.slice(2) as [string, string, string, string?];
const scratch = join(tmpdir(), `sluice-probe-${process.pid}`);

const way = WAYS[what]!;
writeFileSync(scratch, "warm");
// Warm up first: code loaded, compiled or started for the first time is not measured.
await way(tmpdir(), `sluice-probe-${process.pid}`).catch(() => {});
if (what === "serveStatic") openSite(folder);

/** Time that this thread has waited for a processor, as proc_pid_schedstat(5) has it. */
function waitedMs(): number {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "latin1").split(" ")[1]) / 1e6;
  } catch {
    // A kernel without CONFIG_SCHED_INFO.
    return 0;
  }
}

let stallMs = 0;
const clock = () => performance.now() - waitedMs();
let last = clock();
const watch = setInterval(() => {
  const now = clock();
  stallMs = Math.max(stallMs, now - last);
  last = now;
}, 2);

console.log("begins");
let sum = 0;
let length = -1;
let error = "";
const work = way(folder, name).then((bytes) => {
  length = bytes.length;
  bytes.forEach((byte, index) => sum = (sum + byte * (index % 251 + 1)) % 1_000_003);
}, (cause) => void (error = String(cause)));
const tell = () => {
  clearInterval(watch);
  rmSync(scratch, { force: true });
  console.log(JSON.stringify({ stallMs, length, sum, error }));
};
if (deadline === undefined) {
  await work;
  tell();
} else {
  setTimeout(() => {
    tell();
    process.exit(0);
  }, Number(deadline));
}
