/** The operations of the fault tests. Each checks every byte that arrives. @module */

import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp, get } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import {
  broadcast,
  copyFile,
  createReadStream,
  createRelay,
  DirectFile,
  MappedFile,
  Pipe,
  sendFile,
  transfer,
} from "../../../src/mod.ts";
import { createFileServer } from "../../../src/http/mod.ts";
import * as sys from "../../../src/sys/mod.ts";

const SIZE = 3 * 1024 * 1024 + 17;
const HOST = "127.0.0.1";

/** Holds everything that they make. */
export const folder: string = process.argv[3] ?? mkdtempSync(join(tmpdir(), "sluice-"));
const path = join(folder, "file");
const bytes = Buffer.alloc(SIZE, "zero-copy, or else. ");
writeFileSync(path, bytes);

/** Wraps each call of the library; by default, does nothing more. */
export const around: { call<T>(body: () => Promise<T>): Promise<T> } = { call: (body) => body() };

/** Checks the bytes of a peer against the count that the sender reports. */
function judge(received: Buffer, claimed: number): void {
  if (!received.equals(bytes.subarray(0, received.length))) throw new Error("other bytes arrived");
  if (received.length < claimed) {
    throw new Error(`${received.length} bytes arrived of ${claimed}`);
  }
}

async function all(socket: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of socket) chunks.push(chunk);
  } catch {
    // A reset; what came before it counts.
  }
  return Buffer.concat(chunks);
}

/** Both ends of a connection. */
async function pair(): Promise<[Socket, Socket, () => void]> {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, HOST);
  const [accepted] = await once(server, "connection") as [Socket];
  server.close();
  for (const socket of [client, accepted]) socket.on("error", () => {});
  const close = () => [client, accepted].forEach((socket) => socket.destroy());
  return [accepted, client, close];
}

/** A TCP connection of descriptors, non-blocking. */
function descriptors(): [number, number, () => void] {
  const { INET } = sys.AddressFamily;
  const type = sys.SocketType.STREAM | sys.SocketType.CLOEXEC;
  const opened = [sys.socket(INET, type)];
  const close = () => opened.splice(0).forEach((fd) => sys.close(fd));
  try {
    const [listener] = opened as [number];
    sys.bind(listener, { family: "IPv4", address: HOST, port: 0 });
    sys.listen(listener, 1);
    const client = sys.socket(INET, type);
    opened.push(client);
    sys.connect(client, sys.getsockname(listener));
    const accepted = sys.accept4(listener, sys.SocketType.CLOEXEC);
    opened.push(accepted);
    for (const fd of [client, accepted]) {
      sys.setStatusFlags(fd, sys.statusFlags(fd) | sys.OpenFlag.NONBLOCK);
    }
    return [accepted, client, close];
  } catch (error) {
    close();
    throw error;
  }
}

/** Reads a descriptor to its end, by the calls of the test. */
async function drain(fd: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const chunk = new Uint8Array(256 * 1024);
  for (;;) {
    const read = sys.raw.read(fd, chunk);
    if (read === -11 || read === -4) await sleep(1);
    else if (read <= 0) return Buffer.concat(chunks);
    else chunks.push(Buffer.from(chunk.subarray(0, read)));
  }
}

/** The bytes moved, according to the error. */
function movedBy(error: unknown): number {
  return (error as { bytesMoved?: number }).bytesMoved ?? 0;
}

/** Sends, and compares what arrives with what the sender says, also when it fails. */
async function compare(
  sending: Promise<{ bytes: number }>,
  end: () => void,
  receiving: Promise<Buffer>,
): Promise<string> {
  let claimed = 0;
  try {
    const result = await sending;
    claimed = result.bytes;
    end();
    const received = await receiving;
    judge(received, claimed);
    if (claimed !== SIZE) throw new Error(`claims ${claimed} bytes and success`);
    return (result as { method?: string }).method ?? "";
  } catch (error) {
    end();
    judge(await receiving, movedBy(error));
    throw error;
  }
}

type Method = "auto" | "range" | "sendfile" | "splice" | "direct" | "mmap";

async function copied(method: Method, atomic = true) {
  const to = join(folder, "copy");
  const copying = around.call(() => copyFile(path, to, { method, atomic }));
  if (await copying.then(() => false, () => existsSync(to))) throw new Error("left incomplete");
  const left = readdirSync(folder).filter((name) => name.includes(".sluice"));
  if (left.length > 0) throw new Error(`left behind: ${left}`);
  try {
    const result = await copying;
    if (!readFileSync(to).equals(bytes)) throw new Error("the copy is another");
    return result.method;
  } finally {
    rmSync(to, { force: true });
  }
}

async function download(port: number, target = "/file"): Promise<string> {
  const client = connect(port, HOST);
  client.on("error", () => {});
  client.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const answer = await all(client);
  const head = answer.indexOf("\r\n\r\n");
  if (head < 0) return answer.length === 0 ? "reset" : "no head";
  const status = answer.toString("latin1", 9, 12);
  const body = answer.subarray(head + 4);
  if (status !== "200") return status;
  judge(body, 0);
  return body.length === SIZE ? "200" : "cut";
}

async function direct(name: string): Promise<string> {
  process.env["SLUICE_RING"] = name;
  const file = await around.call(() => DirectFile.open(path, { access: "write" }));
  try {
    const target = new Uint8Array(SIZE);
    const chunks: Buffer[] = [];
    const read = await around.call(async () => {
      const read = await file.read(target, 0);
      await file.write(bytes.subarray(0, 1_000_001), 0);
      await file.sync();
      for await (const chunk of file.readable({ blockSize: 256 * 1024 })) {
        chunks.push(Buffer.from(chunk as Uint8Array));
      }
      return read;
    });
    judge(Buffer.from(target.subarray(0, read)), SIZE);
    judge(Buffer.concat(chunks), SIZE);
    return file.mode;
  } finally {
    await file.close();
    writeFileSync(path, bytes);
  }
}

async function broadcastFrom(source: string | number): Promise<string> {
  const ends = [await pair(), await pair(), await pair()];
  try {
    const receiving = ends.map(([, receiver]) => all(receiver));
    const senders = ends.map(([sender]) => sender);
    const { targets } = await around.call(() => broadcast(source, senders));
    for (const [sender] of ends) sender.end();
    for (const [i, received] of (await Promise.all(receiving)).entries()) {
      const report = targets.find(({ target }) => target === ends[i]![0])!;
      judge(received, report.bytes);
    }
    const failed = targets.find(({ outcome }) => outcome !== "complete");
    if (failed?.error) throw failed.error;
    return "";
  } finally {
    ends.forEach(([, , close]) => close());
  }
}

/** Sends by a descriptor of a connection. */
async function toDescriptor(send: (fd: number) => Promise<{ bytes: number }>): Promise<string> {
  const [sender, receiver, close] = descriptors();
  let open = true;
  const end = () => {
    if (open) sys.shutdown(sender, sys.ShutdownHow.WR);
    open = false;
  };
  try {
    return await compare(around.call(() => send(sender)), end, drain(receiver));
  } finally {
    close();
  }
}

/**
 * By name. Each resolves to how it went, and rejects with the error of the library, or with one that
 * says what is wrong with the bytes; it leaves nothing open.
 */
export const DEEDS: Record<string, () => Promise<string>> = {
  async socket() {
    const [sender, receiver, close] = await pair();
    try {
      return await compare(
        around.call(() => sendFile(sender, path)),
        () => sender.end(),
        all(receiver),
      );
    } finally {
      close();
    }
  },
  async response() {
    let sending: Promise<{ bytes: number }> | undefined;
    const server = createHttp((_, res) => {
      sending = around.call(() => sendFile(res, path));
      sending.catch(() => res.destroy());
    }).listen(0, HOST);
    await once(server, "listening");
    try {
      const receiving = new Promise<Buffer>((resolve) => {
        get({ port: (server.address() as AddressInfo).port, host: HOST, agent: false })
          .on("response", (res) => resolve(all(res)))
          .on("error", () => resolve(Buffer.alloc(0)));
      });
      const received = await receiving;
      const { bytes: claimed } = await sending!;
      judge(received, claimed);
      return "";
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
  descriptor: () => toDescriptor((sender) => sendFile(sender, path)),
  transferred: () => toDescriptor((sender) => transfer(path, sender)),
  async pipe() {
    const pipe = new Pipe();
    try {
      const received = drain(pipe.readFd);
      return await compare(
        around.call(() => transfer(path, pipe.writeFd)),
        () => pipe.closeWrite(),
        received,
      );
    } finally {
      pipe.close();
    }
  },
  // From one socket to another one, through a pipe.
  async through() {
    const [first, second, close] = descriptors();
    const [third, fourth, closeOther] = descriptors();
    try {
      const feeding = (async () => {
        for (let at = 0; at < SIZE;) {
          const sent = sys.raw.write(first, bytes.subarray(at, at + 256 * 1024));
          if (sent > 0) at += sent;
          else if (sent === -11 || sent === -4) await sleep(1);
          else break;
        }
        sys.shutdown(first, sys.ShutdownHow.WR);
      })();
      let ended = false;
      const end = () => {
        if (!ended) sys.shutdown(third, sys.ShutdownHow.WR);
        ended = true;
      };
      const reading = drain(fourth);
      const sending = around.call(() => transfer(second, third));
      // A sender that is not read from any more must not be waited for.
      sending.catch(() => sys.raw.shutdown(second, 2));
      const outcome = await compare(sending, end, reading);
      await feeding;
      return outcome;
    } finally {
      await sleep(5);
      close();
      closeOther();
    }
  },
  async fileToFile() {
    const to = join(folder, "to");
    const fd = sys.open(to, sys.OpenFlag.RDWR | sys.OpenFlag.CREAT | sys.OpenFlag.CLOEXEC);
    try {
      const { bytes: moved, method } = await around.call(() => transfer(path, fd));
      if (moved !== SIZE || !readFileSync(to).equals(bytes)) throw new Error("another file");
      return method;
    } finally {
      sys.close(fd);
      rmSync(to);
    }
  },
  copy: () => copied("auto"),
  copyInPlace: () => copied("auto", false),
  copyRange: () => copied("range"),
  copySendfile: () => copied("sendfile"),
  copySplice: () => copied("splice"),
  copyDirect: () => copied("direct"),
  copyMmap: () => copied("mmap"),
  ring: () => direct(""),
  threads: () => direct("off"),
  async map() {
    const map = await around.call(() =>
      Promise.resolve().then(() => MappedFile.open(path, { access: "write" }))
    );
    try {
      map.prefetch();
      judge(Buffer.from(map.bytes), SIZE);
      map.bytes[0] = bytes[0]!;
      await map.flush();
      map.residency();
      return "";
    } finally {
      map.close();
    }
  },
  async stream() {
    const [sender, receiver, close] = await pair();
    try {
      const receiving = all(receiver);
      const stream = createReadStream(path);
      const failed = once(stream, "error").then(([error]) => {
        throw error;
      });
      stream.pipe(sender);
      await Promise.race([once(sender, "close"), failed.finally(() => sender.destroy())]);
      judge(await receiving, SIZE);
      return "";
    } finally {
      close();
    }
  },
  broadcast: () => broadcastFrom(path),
  async broadcastPipe() {
    const pipe = new Pipe();
    let writing = true;
    const feeding = (async () => {
      for (let at = 0; writing && at < SIZE;) {
        const written = sys.raw.write(pipe.writeFd, bytes.subarray(at));
        if (written > 0) at += written;
        else await sleep(1);
      }
      pipe.closeWrite();
    })();
    try {
      return await broadcastFrom(pipe.readFd);
    } finally {
      writing = false;
      await feeding;
      pipe.close();
    }
  },
  async server() {
    const server = createFileServer({ root: folder, port: 0 });
    try {
      const { port } = await around.call(() => server.listen());
      const answers = [];
      for (let i = 0; i < 6; i++) answers.push(await download(port));
      return answers.join(" ");
    } finally {
      await server.close({ graceMs: 0 });
    }
  },
  // The response of a program, forwarded by the file server.
  async proxy() {
    const program = createHttp((_, res) => res.end(bytes)).listen(0, HOST);
    await once(program, "listening");
    const to = `${HOST}:${(program.address() as AddressInfo).port}`;
    const server = createFileServer({ root: folder, port: 0, fallback: { to, paths: ["/made"] } });
    try {
      const { port } = await around.call(() => server.listen());
      const answers = [];
      for (let i = 0; i < 6; i++) answers.push(await download(port, "/made"));
      return answers.join(" ");
    } finally {
      await server.close({ graceMs: 0 });
      program.closeAllConnections();
      program.close();
    }
  },
  async relay() {
    const upstream = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(bytes);
    }).listen(0, HOST);
    await once(upstream, "listening");
    const { port } = upstream.address() as AddressInfo;
    const relay = createRelay({ listen: ":0", upstream: `${HOST}:${port}` });
    try {
      const address = await around.call(() => relay.listen());
      const answers = [];
      for (let i = 0; i < 6; i++) {
        const client = connect((address as { port: number }).port, HOST);
        client.on("error", () => {});
        const received = await all(client);
        judge(received, 0);
        answers.push(received.length === SIZE ? "all" : "cut");
      }
      return answers.join(" ");
    } finally {
      await relay.close({ graceMs: 0 });
      upstream.close();
    }
  },
};
