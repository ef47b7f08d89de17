/** Every way in which the library reads a file by its path, and what arrives at the other end. @module */

import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import {
  broadcast,
  copyFile,
  createReadStream,
  DirectFile,
  sendFile,
  transfer,
} from "../../src/mod.ts";
import { createFileServer, fileResponse, serveStatic } from "../../src/http/mod.ts";

/** What an HTTP server refused to send. */
export class StatusError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`status ${status}`);
    this.status = status;
  }
}

/** Sends `name`, which lies in `folder`; resolves to what arrives. */
export type Way = (folder: string, name: string, signal?: AbortSignal) => Promise<Uint8Array>;

const collect = async (stream: AsyncIterable<Uint8Array>) => {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
};

/** What a connection receives while `send` writes to its other end. */
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

/** What a stream of the runtime receives. */
async function overStream(send: (stream: PassThrough) => Promise<unknown>): Promise<Buffer> {
  const stream = new PassThrough();
  const received = collect(stream);
  try {
    await send(stream);
    stream.end();
    return await received;
  } finally {
    received.catch(() => {});
    stream.destroy();
  }
}

/** What is in a file after `write` has been given its path. */
async function overFile(write: (path: string) => Promise<unknown>): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-way-"));
  try {
    const path = join(folder, "copy");
    await write(path);
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function overDescriptor(write: (fd: number) => Promise<unknown>): Promise<Buffer> {
  return overFile(async (path) => {
    writeFileSync(path, "");
    const fd = openSync(path, "r+");
    try {
      await write(fd);
    } finally {
      closeSync(fd);
    }
  });
}

async function overHttp(answer: Parameters<typeof createServer>[1], path: string): Promise<Buffer> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await fetched((server.address() as net.AddressInfo).port, path);
  } finally {
    server.close();
    server.closeAllConnections?.();
  }
}

/** The body of a response, which must be as long as its head says. */
async function fetched(port: number, path: string): Promise<Buffer> {
  const req = request({ port, host: "127.0.0.1", path, agent: false }).end();
  const [res] = await once(req, "response");
  const body = await collect(res);
  if (res.statusCode !== 200) throw new StatusError(res.statusCode);
  const promised = res.headers["content-length"];
  if (promised !== undefined && Number(promised) !== body.length) throw new Error("short body");
  return body;
}

const sites: Record<string, ReturnType<typeof serveStatic>> = {};

/** Opens the folder that `serveStatic` will serve from: whoever makes it waits for its file system. */
export function openSite(folder: string): void {
  sites[folder] ??= serveStatic(folder);
}

/** The ways by name. Those over HTTP take no signal. */
export const WAYS: Readonly<Record<string, Way>> = {
  sendFile: (folder, name, signal) =>
    overSocket((socket) => sendFile(socket, join(folder, name), { signal })),
  sendFileBelow: (root, name, signal) =>
    overSocket((socket) => sendFile(socket, name, { root, signal })),
  sendFileToResponse: (folder, name, signal) => {
    let failure: unknown;
    const answered = overHttp((_, res) => {
      sendFile(res, join(folder, name), { signal }).catch((error) => {
        failure = error;
        res.destroy();
      });
    }, "/");
    return answered.catch((error) => Promise.reject(failure ?? error));
  },
  sendFileToDescriptor: (folder, name, signal) =>
    overDescriptor((fd) => sendFile(fd, join(folder, name), { signal })),
  transfer: (folder, name, signal) =>
    overSocket((socket) => transfer(join(folder, name), socket, { signal })),
  transferToStream: (folder, name, signal) =>
    overStream((stream) => transfer(join(folder, name), stream, { signal })),
  transferToFile: (folder, name, signal) =>
    overDescriptor((fd) => transfer(join(folder, name), fd, { signal })),
  broadcast: (folder, name, signal) =>
    overSocket((socket) => broadcast(join(folder, name), [socket], { signal })),
  broadcastToStream: (folder, name, signal) =>
    overStream((stream) => broadcast(join(folder, name), [stream], { signal })),
  createReadStream: (folder, name) =>
    overSocket(async (socket) => {
      const stream = createReadStream(join(folder, name));
      stream.pipe(socket, { end: false });
      await once(stream, "close");
    }),
  copyFile: (folder, name, signal) =>
    overFile((path) => copyFile(join(folder, name), path, { signal })),
  async DirectFile(folder, name, signal) {
    const file = await DirectFile.open(join(folder, name));
    try {
      const target = new Uint8Array(2 * 1024 * 1024);
      const count = await file.read(target, 0, { signal });
      return target.subarray(0, count);
    } finally {
      await file.close();
    }
  },
  async DirectFileReadable(folder, name, signal) {
    const file = await DirectFile.open(join(folder, name));
    try {
      return await collect(file.readable({ signal }));
    } finally {
      await file.close();
    }
  },
  serveStatic(folder, name) {
    openSite(folder);
    return overHttp((req, res) => sites[folder]!(req, res), `/${name}`);
  },
  async fileResponse(folder, name) {
    const response = await fileResponse(new Request("http://h/"), join(folder, name));
    const body = new Uint8Array(await response.arrayBuffer());
    if (response.status !== 200) throw new StatusError(response.status);
    return body;
  },
  async createFileServer(folder, name) {
    const server = createFileServer({ root: folder, threads: 1, port: 0, host: "127.0.0.1" });
    try {
      const { port } = await server.listen();
      return await fetched(port!, `/${name}`);
    } finally {
      await server.close({ graceMs: 0 });
    }
  },
};

/** The ways whose errors are answers of an HTTP server. */
export const OVER_HTTP: readonly string[] = ["serveStatic", "fileResponse", "createFileServer"];
