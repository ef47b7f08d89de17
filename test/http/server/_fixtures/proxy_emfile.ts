/** Fills the table of descriptors beside a server before a program: `proxy_emfile.ts PORT`. @module */

import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer } from "../../../../src/http/mod.ts";
import * as sys from "../../../../src/sys/mod.ts";

const EMFILE = -24;

// The folder is not looked into, for which descriptors are needed, too.
const fallback = { to: `127.0.0.1:${process.argv[2]}`, paths: ["/api/"] };
const server = createFileServer({ root: ".", fallback });
const { port } = await server.listen();

async function open(count: number): Promise<number> {
  const client = sys.socket(sys.AddressFamily.INET, sys.SocketType.STREAM);
  sys.connect(client, { family: "IPv4", address: "127.0.0.1", port });
  while (server.stats().open < count) await sleep(10);
  return client;
}

const silent = await open(1);
const asking = await open(2);
const hoard: number[] = [];
for (let next; (next = sys.raw.eventfd(0, 0)) !== EMFILE;) hoard.push(next);

sys.send(asking, new TextEncoder().encode("GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n"));
const target = new Uint8Array(4096);
const count = sys.recv(asking, target);
console.log(new TextDecoder().decode(target.subarray(0, Math.min(12, count))));
console.log(server.stats().shed);
for (const fd of [...hoard, silent, asking]) sys.close(fd);
await server.close({ graceMs: 0 });
