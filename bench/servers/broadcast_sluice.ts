/**
 * Sends a file to every N connections at once by `broadcast()`:
 * `broadcast_sluice.ts FOLDER PATH N SLOW [SLOW_MS]`. Opens a path that ends in ".fifo" anew each
 * time.
 *
 * @module
 */

import { closeSync, constants, openSync } from "node:fs";
import type { Socket } from "node:net";
import process from "node:process";
import { broadcast, type SlowPolicy } from "../../src/mod.ts";
import { ignoreGone, inGroups } from "./harness.ts";

const [path = "", count, slow, slowMs] = process.argv.slice(3);

/** Opens the FIFO without waiting for a writer. */
function openFifo(): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

inGroups(Number(count), async (sockets: Socket[]) => {
  const fifo = path.endsWith(".fifo") ? openFifo() : -1;
  await broadcast(fifo < 0 ? path : fifo, sockets, {
    slow: slow as SlowPolicy,
    slowMs: slowMs === undefined ? undefined : Number(slowMs),
    // A finished client need not wait for the others.
    onTargetEnd: ({ target }) => (target as Socket).end(),
  }).catch(ignoreGone);
  if (fifo >= 0) closeSync(fifo);
});
