/**
 * Sends a file to every N connections at once, by `broadcast()`:
 * `broadcast_sluice.ts FOLDER PATH N SLOW`. A path that ends in ".fifo" is opened anew each time.
 *
 * @module
 */

import { closeSync, constants, openSync } from "node:fs";
import type { Socket } from "node:net";
import process from "node:process";
import { broadcast, type SlowPolicy } from "../../src/mod.ts";
import { ignoreGone, inGroups } from "./harness.ts";

const [path = "", count, slow] = process.argv.slice(3);

/** Only a descriptor that is opened so does not wait for a writer. */
function openFifo(): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

inGroups(Number(count), async (sockets: Socket[]) => {
  const fifo = path.endsWith(".fifo") ? openFifo() : -1;
  await broadcast(fifo < 0 ? path : fifo, sockets, {
    slow: slow as SlowPolicy,
    // Who has everything need not wait for the others.
    onTargetEnd: ({ target }) => (target as Socket).end(),
  }).catch(ignoreGone);
  if (fifo >= 0) closeSync(fifo);
});
