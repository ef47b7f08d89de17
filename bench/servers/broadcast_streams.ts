/**
 * Sends a file to every N connections at once by streams: reads it once and writes each chunk N
 * times. `broadcast_streams.ts FOLDER PATH N`.
 *
 * @module
 */

import { once } from "node:events";
import { createReadStream } from "node:fs";
import type { Socket } from "node:net";
import process from "node:process";
import { inGroups } from "./harness.ts";

const [path = "", count] = process.argv.slice(3);

inGroups(Number(count), async (sockets: Socket[]) => {
  for await (const chunk of createReadStream(path)) {
    const full = sockets.filter((socket) => !socket.write(chunk));
    await Promise.all(full.map((socket) => once(socket, "drain")));
  }
});
