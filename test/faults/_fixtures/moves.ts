/**
 * Does one thing several times, whatever the system answers, and tells how each time ended.
 *
 * Arguments: what is done, a folder for it, and how many descriptors there are when nothing is wrong.
 * Each line that it prints is one JSON text: `{ outcome }` for each time, and last `{ descriptors }`,
 * those that are open once everything has settled.
 *
 * @module
 */

import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { startThreads } from "../../_kit/leaks.ts";
import { DEEDS } from "./deeds.ts";
import { settled } from "./settled.ts";

const TIMES = 3;
const PATIENCE_MS = 20_000;

const say = (line: unknown) => console.log(JSON.stringify(line));

process.on("uncaughtException", (error) => say({ uncaught: String(error.stack) }));
process.on("unhandledRejection", (error) => say({ unhandled: String((error as Error).stack) }));

// What never settles shows as such, and does not end the process.
const alive = setInterval(() => {}, 1000);
const deed = DEEDS[process.argv[2]!]!;
const most = Number(process.argv[4] ?? 0);
// Which of them a deed needs depends on what fails.
await startThreads().catch(() => {});
for (let i = 0; i < TIMES; i++) {
  const outcome = await Promise.race([
    deed().then((done) => ({ done }), ({ name, code, bytesMoved, message }) => ({
      error: name,
      code,
      bytesMoved,
      message,
    })),
    sleep(PATIENCE_MS, "hang"),
  ]);
  say({ outcome });
  if (outcome === "hang") process.exit(9);
}
const open = await settled(most);
clearInterval(alive);
say({ descriptors: open.map((line) => line.replace(/^\d+:/, "").replace(/\[\d+\]/, "")).sort() });
process.exit(0);
