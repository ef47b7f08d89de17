/** A folder below the root that is replaced by a link out of it while it is used. @module */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

/**
 * Runs `body` while another thread swaps `<root>/<name>/swapped` for a link to the folder that holds
 * the root: `swapped/OUTSIDE` is a file that says "inside", or leads out, or is nothing.
 */
export async function whileSwapping(
  root: string,
  name: string,
  body: () => Promise<void>,
): Promise<void> {
  const folder = join(root, name);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const swapper = new Worker(new URL("_swapper.ts", import.meta.url), {
    workerData: { folder, stop },
  });
  const exit = new Promise((resolve) => swapper.once("exit", resolve));
  await new Promise((resolve, reject) => swapper.once("message", resolve).once("error", reject));
  try {
    await body();
  } finally {
    // By itself: on Deno a thread that has been terminated goes on for a while.
    Atomics.store(stop, 0, 1);
    await exit;
    rmSync(folder, { recursive: true, force: true });
  }
}
