/**
 * Uses memory in the way that the argument names, which no program should. The last thing that it
 * prints is "alive".
 *
 * @module
 */

import { rmSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { AlignedBuffer, DirectFile } from "../../../src/mod.ts";
import { collect, folder, later } from "./misuse/kit.ts";
import { DISKS } from "./misuse/disks.ts";
import { LIES } from "./misuse/lies.ts";
import { MAPPINGS } from "./misuse/mappings.ts";

const WAYS: Record<string, () => unknown> = { ...MAPPINGS, ...DISKS, ...LIES, nothing() {} };

/** The jobs of those Workers. */
async function serve(): Promise<void> {
  if (workerData === "reader") {
    parentPort!.postMessage("ready");
    parentPort!.on("message", (bytes: Uint8Array) => {
      let sum = 0;
      for (let round = 0; round < 5; round++) for (const byte of bytes) sum += byte;
      bytes.fill(sum);
    });
    return;
  }
  const direct = await DirectFile.open(workerData as string, { access: "write" });
  // Before the termination: koffi ends the process if a Worker is terminated while it allocates
  // (docs/safety.md).
  const buffers = Array.from({ length: 64 }, () => AlignedBuffer.allocate(65_536));
  parentPort!.postMessage("ready");
  for (;;) {
    await Promise.race(
      buffers.map((aligned, i) =>
        direct[i % 2 === 0 ? "read" : "write"](aligned.bytes, i * 65_536)
      ),
    );
  }
}

if (isMainThread) {
  // Errors of the runtime about lost memory don't matter.
  process.on("uncaughtException", (error) => {
    if (error.name === "AssertionError") throw error;
    console.log(`uncaught ${error.message}`);
  });
  process.on("unhandledRejection", (error) => {
    if ((error as Error).name === "AssertionError") throw error;
    console.log(`unhandled ${error}`);
  });
  setTimeout(() => process.exit(3), 100_000).unref();
  await WAYS[process.argv[2]!]!();
  await Promise.all(later);
  collect();
  await sleep(20);
  console.log("alive");
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
} else {
  await serve();
}
