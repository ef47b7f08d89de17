/** Puts a folder and a link that leads out in each other's place, again and again. @module */

import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";

const { folder, stop } = workerData as { folder: string; stop: Int32Array };
const [place, aside, link] = ["swapped", "aside", "link"].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
mkdirSync(place, { recursive: true });
writeFileSync(join(place, "OUTSIDE"), "inside");
symlinkSync("../..", link);
parentPort!.postMessage("ready");
while (Atomics.load(stop, 0) === 0) {
  renameSync(place, aside);
  renameSync(link, place);
  renameSync(place, link);
  renameSync(aside, place);
}
