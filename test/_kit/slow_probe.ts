/**
 * Runs one operation on a file, and reports how long the event loop was blocked.
 *
 * `slow_probe.ts WHAT FOLDER FILE [DEADLINE_MS]`; writes `{ stallMs, length, sum, error, calls }`.
 * After the deadline it stops by `process.exit()`.
 *
 * @module
 */

import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process, { argv } from "node:process";
import {
  broadcast,
  copyFile,
  createReadStream,
  DirectFile,
  sendFile,
  transfer,
} from "../../src/mod.ts";
import { fileResponse, serveStatic } from "../../src/http/mod.ts";

const [what, folder, name, deadline] = argv.slice(2) as [string, string, string, string?];
const scratch = join(tmpdir(), `sluice-probe-${process.pid}`);

const collect = async (stream: AsyncIterable<Uint8Array>) => {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
};

/** The bytes that a connection receives while `send` writes to its other end. */
async function overSocket(send: (socket: net.Socket) => Promise<unknown>): Promise<Buffer> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
  const [socket] = await once(server, "connection") as [net.Socket];
  const received = collect(client);
  try {
    await send(socket);
    socket.end();
    return await received;
  } finally {
    received.catch(() => {});
    client.destroy();
    socket.destroy();
    server.close();
  }
}

async function overHttp(answer: Parameters<typeof createServer>[1], path: string): Promise<Buffer> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const req = request({ port, host: "127.0.0.1", path, agent: false }).end();
  const [res] = await once(req, "response");
  const body = await collect(res);
  server.close();
  if (res.statusCode !== 200) throw new Error(`status ${res.statusCode}`);
  const promised = res.headers["content-length"];
  if (promised !== undefined && Number(promised) !== body.length) throw new Error("short body");
  return body;
}

const WAYS: Record<string, (path: string, folder: string, name: string) => Promise<Uint8Array>> = {
  sendFile: (path) => overSocket((socket) => sendFile(socket, path)),
  sendFileBelow: (_, root, name) => overSocket((socket) => sendFile(socket, name, { root })),
  sendFileToResponse: (path) =>
    overHttp((_, res) => void sendFile(res, path).catch(() => res.destroy()), "/"),
  transfer: (path) => overSocket((socket) => transfer(path, socket)),
  broadcast: (path) => overSocket((socket) => broadcast(path, [socket])),
  createReadStream: (path) =>
    overSocket(async (socket) => {
      const stream = createReadStream(path);
      stream.pipe(socket, { end: false });
      await once(stream, "close");
    }),
  async copyFile(path) {
    await copyFile(path, scratch);
    return readFileSync(scratch);
  },
  async DirectFile(path) {
    await using file = await DirectFile.open(path);
    const target = new Uint8Array(2 * 1024 * 1024);
    const count = await file.read(target, 0);
    return target.subarray(0, count);
  },
  serveStatic(_, folder, name) {
    const files = sites[folder] ??= serveStatic(folder);
    return overHttp((req, res) => files(req, res), `/${name}`);
  },
  async fileResponse(path) {
    const response = await fileResponse(new Request("http://h/"), path);
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  },
};
const sites: Record<string, ReturnType<typeof serveStatic>> = {};

const way = WAYS[what]!;
writeFileSync(scratch, "warm");
// Warm up first: code loaded, compiled or started for the first time is not measured.
await way(scratch, tmpdir(), scratch.slice(tmpdir().length + 1)).catch(() => {});
if (what === "serveStatic") sites[folder] = serveStatic(folder);

let stallMs = 0;
let last = performance.now();
const watch = setInterval(() => {
  const now = performance.now();
  stallMs = Math.max(stallMs, now - last);
  last = now;
}, 2);

let sum = 0;
let length = -1;
let error = "";
const work = way(join(folder, name), folder, name).then((bytes) => {
  length = bytes.length;
  bytes.forEach((byte, index) => sum = (sum + byte * (index % 251 + 1)) % 1_000_003);
}, (cause) => void (error = String(cause)));
const tell = () => {
  clearInterval(watch);
  rmSync(scratch, { force: true });
  console.log(JSON.stringify({ stallMs, length, sum, error }));
};
if (deadline === undefined) {
  await work;
  tell();
} else {
  setTimeout(() => {
    tell();
    process.exit(0);
  }, Number(deadline));
}
