/**
 * Sends, copies and serves a file that is memory, and prints after each how many threads of the library
 * read files; then starts one, and prints that number as well.
 *
 * @module
 */

import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get } from "node:http";
import { connect, createServer as createNetServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import process from "node:process";
import { serveStatic } from "../../../src/http/mod.ts";
import { broadcast, copyFile, sendFile, transfer } from "../../../src/mod.ts";
import { bringIn } from "../../../src/page_cache/prefetch.ts";

const MIB = 2 ** 20;
const folder = mkdtempSync("/dev/shm/sluice-");
const path = join(folder, "file");
writeFileSync(path, new Uint8Array(8 * MIB).fill(7));

/** Those have a lower priority than all others: the nineteenth word of the kernel's own line. */
function readers(): number {
  return readdirSync("/proc/self/task").filter((task) => {
    const line = readFileSync(`/proc/self/task/${task}/stat`, "utf8");
    return line.slice(line.lastIndexOf(")") + 2).split(" ")[16] === "10";
  }).length;
}

const sink = createNetServer((socket) => socket.on("error", () => {}).resume()).listen(
  0,
  "127.0.0.1",
);
await once(sink, "listening");
const { port } = sink.address() as { port: number };

async function toSocket(): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  await sendFile(socket, path);
  socket.destroy();
}

async function toSockets(): Promise<void> {
  const sockets = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  await broadcast(path, sockets);
  for (const socket of sockets) socket.destroy();
}

async function served(): Promise<void> {
  const server = createServer(serveStatic(folder)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const [answer] = await once(
    get({ host: "127.0.0.1", port, path: "/file", agent: false }),
    "response",
  );
  await once(answer.resume(), "end");
  server.close();
}

const WAYS = {
  sendFile: toSocket,
  transfer: () => transfer(path, openSync(join(folder, "other"), "w")),
  copyFile: () => copyFile(path, join(folder, "copy")),
  broadcast: toSockets,
  serveStatic: served,
};
const counts: Record<string, number> = {};
for (const [name, way] of Object.entries(WAYS)) {
  await way();
  counts[name] = readers();
}
await bringIn(openSync(path, "r"), 0, MIB);
counts["bringIn"] = readers();
rmSync(folder, { recursive: true });
console.log(JSON.stringify(counts));
process.exit(0);
