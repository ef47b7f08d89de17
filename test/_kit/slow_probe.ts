/**
 * Runs one operation on a file, and reports how long the event loop was blocked.
 *
 * `slow_probe.ts WHAT FOLDER FILE [DEADLINE_MS]`; writes `{ stallMs, length, sum, error, calls }`.
 * After the deadline it stops by `process.exit()`.
 *
 * @module
 */

import { rmSync, writeFileSync } from "node:fs";
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

let stallMs = 0;
let last = performance.now();
const watch = setInterval(() => {
  const now = performance.now();
  stallMs = Math.max(stallMs, now - last);
  last = now;
}, 2);

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
