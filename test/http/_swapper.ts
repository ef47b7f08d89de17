/** Puts a folder and a link that leads out in each other's place, again and again. @module */

import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";

const root = workerData as string;
const [place, folder, link] = ["swapped", "aside", "lead"].map((name) => join(root, name)) as [
  string,
  string,
  string,
];
// One that was ended before may have left them anywhere. A link is removed, not what it leads to.
for (const path of [place, folder, link]) rmSync(path, { recursive: true, force: true });
mkdirSync(place);
writeFileSync(join(place, "OUTSIDE"), "inside");
symlinkSync("..", link);
const end = Date.now() + 60_000;
parentPort!.postMessage("ready");
while (Date.now() < end) {
  renameSync(place, folder);
  renameSync(link, place);
  renameSync(place, link);
  renameSync(folder, place);
}
