/**
 * Downloads a file that is not in the page cache from a server whose thread for the disk cannot be
 * started, for want of descriptors. Prints how many bytes arrived, and how busy the server was
 * afterwards, in percent of a processor.
 *
 * @module
 */

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer } from "../../../../src/http/mod.ts";
import * as sys from "../../../../src/sys/mod.ts";
import { dropFromCache } from "../../../_kit/page_cache.ts";

const SIZE = 3 * 1024 * 1024;
/** For the file; a thread needs more. */
const LEFT = 2;

const root = mkdtempSync(join(tmpdir(), "sluice-"));
const path = join(root, "cold");
writeFileSync(path, new Uint8Array(SIZE).fill(65));
const fd = sys.open(path, sys.OpenFlag.RDWR | sys.OpenFlag.CLOEXEC);
await dropFromCache(fd);

const server = createFileServer({ root });
const { port } = await server.listen();
const client = connect(port, "127.0.0.1");
let length = 0;
client.on("data", (chunk: Uint8Array) => length += chunk.length);
client.write("GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
await once(client, "data");
// The first answer may come in pieces.
await sleep(200);
length = 0;

// Deno opens descriptors for signals on first use, and panics if it cannot.
process.on("SIGUSR2", () => {});

const hoard: number[] = [];
for (let next; (next = sys.raw.eventfd(0, 0)) >= 0;) hoard.push(next);
for (const taken of hoard.splice(0, LEFT)) sys.close(taken);
client.write("GET /cold HTTP/1.1\r\nHost: a\r\n\r\n");
for (let i = 0; i < 1000 && length < SIZE; i++) await sleep(10);

const before = process.cpuUsage();
await sleep(500);
const { user, system } = process.cpuUsage(before);
for (const taken of hoard) sys.close(taken);
console.log(length >= SIZE, Math.round((user + system) / 5000));
sys.close(fd);
client.destroy();
await server.close({ graceMs: 0 });
rmSync(root, { recursive: true });
