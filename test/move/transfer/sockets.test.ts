import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import type { DenoConn } from "../../../src/runtime/deno.ts";
import { Pipe, type SyscallError, transfer, type TransferSource } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { Folder, noise, Reader } from "../../_kit/bytes.ts";
import { inScope, Scope } from "../../_kit/fds.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { listen, stop, withSockets } from "../../_kit/targets_net.ts";

interface Globals {
  readonly Bun?: {
    connect(options: object): Promise<TransferSource>;
  };
  readonly Deno?: {
    listen(options: { port: number; hostname: string }): {
      readonly addr: { readonly port: number };
      accept(): Promise<DenoConn>;
      close(): void;
    };
  };
}
const { Bun, Deno } = globalThis as unknown as Globals;

const NODE = Bun === undefined && Deno === undefined;
/** Bun and Deno cannot be told to stop reading a `net.Socket` at a byte, so that they read it. */
const READ_METHOD = NODE ? "splice" : "copy";
const NO_BUN = Bun === undefined ? "needs the sockets of Bun" : false;
const NO_DENO = Deno === undefined ? "needs the connections of Deno" : false;
const NOT_NODE = NODE ? false : "Bun and Deno read the socket themselves";

const MIB = 1024 * 1024;
const folder = new Folder();
after(() => folder.remove());

/** Runs `body` with a connection of the runtime; what the first sends, the second receives. */
function connected(
  body: (peer: Socket, socket: Socket, scope: Scope) => Promise<void>,
): Promise<void> {
  return withSockets((peer, socket) => inScope((scope) => body(peer, socket, scope)));
}

/** Runs `body` with the port of a server that sends `bytes` to each client, and ends. */
async function sending(bytes: Uint8Array, body: (port: number) => Promise<void>): Promise<void> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => {}));
    socket.end(bytes);
  });
  const port = await listen(server);
  try {
    await body(port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await stop(server);
  }
}

function fileIn(scope: Scope): [fd: number, path: string] {
  const path = folder.file("");
  return [scope.open(path, sys.OpenFlag.RDWR), path];
}

/** Everything that is still to come. */
async function rest(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

describeWithoutLeaks("transfer() from sockets of the runtime", {
  warmUp: () =>
    connected(async (peer, socket, scope) => {
      peer.end(noise(MIB));
      await transfer(socket, fileIn(scope)[0]);
    }),
}, () => {
  it("stores what arrives without reading it, where the runtime can be told to wait", () =>
    connected(async (peer, socket, scope) => {
      const bytes = noise(3 * MIB + 17);
      const [fd, path] = fileIn(scope);
      peer.end(bytes);
      const { bytes: moved, method } = await transfer(socket, fd);
      assert.deepEqual([moved, method], [bytes.length, READ_METHOD]);
      assert.ok(readFileSync(path).equals(bytes));
    }));

  it("begins with what the runtime has received already", () =>
    connected(async (peer, socket, scope) => {
      const bytes = noise(2 * MIB);
      const [fd, path] = fileIn(scope);
      peer.write(bytes.subarray(0, 1000));
      await once(socket, "readable");
      peer.end(bytes.subarray(1000));
      await transfer(socket, fd);
      assert.ok(readFileSync(path).equals(bytes));
    }));

  it("takes what it was asked for, and leaves the rest to the runtime, its end included", () =>
    connected(async (peer, socket, scope) => {
      const bytes = noise(2 * MIB);
      const [fd, path] = fileIn(scope);
      peer.end(bytes);
      let taken = 0;
      for (const length of [1, 4095, 70_000, MIB]) {
        const { bytes: moved } = await transfer(socket, fd, { length });
        assert.equal(moved, length);
        taken += length;
      }
      assert.ok(readFileSync(path).equals(bytes.subarray(0, taken)));
      assert.ok((await rest(socket)).equals(bytes.subarray(taken)));
      assert.equal(socket.readableEnded, true);
    }));

  it("moves into pipes, sockets and streams of the runtime as well", () =>
    connected(async (peer, socket) => {
      const bytes = noise(MIB);
      peer.end(bytes);
      const pipe = new Pipe();
      await connected(async (out, far) => {
        const reader = new Reader(far);
        const through = transfer(socket, pipe.writeFd).finally(() => pipe.closeWrite());
        const { method } = await transfer(pipe.readFd, out);
        await through;
        out.end();
        await reader.closed;
        assert.equal(reader.length, bytes.length);
        assert.equal(method, "splice");
      });
      pipe.close();
    }));

  it("stores what another program prints", async () => {
    const path = folder.file("");
    const scope = new Scope();
    const child = spawn("seq", ["200000"], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "close");
    const { bytes, method } = await transfer(child.stdout, scope.open(path, sys.OpenFlag.WRONLY));
    scope.close();
    child.stdout.resume();
    await ended;
    assert.deepEqual([bytes, method], [1_288_895, READ_METHOD]);
    assert.ok(readFileSync(path, "latin1").endsWith("\n199999\n200000\n"));
  });

  it("copies when it is told to", () =>
    connected(async (peer, socket, scope) => {
      const [fd] = fileIn(scope);
      peer.end("text");
      const { method, bytes } = await transfer(socket, fd, { method: "copy" });
      assert.deepEqual([method, bytes], ["copy", 4]);
    }));

  it(
    "ends with EPIPE when the program destroys the socket",
    { skip: NOT_NODE },
    () =>
      connected(async (peer, socket, scope) => {
        const [fd] = fileIn(scope);
        peer.write(noise(1000));
        const moving = transfer(socket, fd, { onProgress: () => socket.destroy() });
        await assert.rejects(moving, (error: SyscallError) => {
          assert.deepEqual([error.code, error.bytesMoved], ["EPIPE", 1000]);
          return true;
        });
      }),
  );

  it(
    "gives the socket back when it is aborted",
    { skip: NOT_NODE },
    () =>
      connected(async (peer, socket, scope) => {
        const [fd] = fileIn(scope);
        const controller = new AbortController();
        peer.write(noise(1000));
        const options = { signal: controller.signal, onProgress: () => controller.abort() };
        await assert.rejects(transfer(socket, fd, options), {
          code: "ABORT_ERR",
          bytesMoved: 1000,
        });
        assert.equal(socket.destroyed, false);
        peer.end("more");
        assert.equal(String(await rest(socket)), "more");
      }),
  );

  it(
    "keeps an idle timer from firing while bytes arrive",
    { skip: NOT_NODE },
    () =>
      connected(async (peer, socket, scope) => {
        const [fd] = fileIn(scope);
        let timeouts = 0;
        socket.setTimeout(2000, () => timeouts++);
        const feeding = setInterval(() => peer.write("x"), 50);
        await transfer(socket, fd, { length: 60 });
        clearInterval(feeding);
        assert.equal(timeouts, 0);
        assert.equal(socket.timeout, 2000);
      }),
  );

  it("reads a connection of Deno by its descriptor", { skip: NO_DENO }, async () => {
    const bytes = noise(3 * MIB);
    const scope = new Scope();
    const [fd, path] = fileIn(scope);
    const listener = Deno!.listen({ port: 0, hostname: "127.0.0.1" });
    const peer = connect(listener.addr.port, "127.0.0.1").on("error", () => {});
    peer.end(bytes);
    // Deno exposes the descriptors of accepted connections.
    const conn = await listener.accept();
    const first = await transfer(conn, fd, { length: 100_001 });
    const { method } = await transfer(conn, fd);
    conn.close();
    listener.close();
    peer.destroy();
    scope.close();
    assert.deepEqual([first.method, method], ["splice", "splice"]);
    assert.ok(readFileSync(path).equals(bytes));
  });

  it("reads a socket of Bun by its descriptor", { skip: NO_BUN }, async () => {
    const bytes = noise(3 * MIB);
    await sending(bytes, async (port) => {
      const scope = new Scope();
      const [fd, path] = fileIn(scope);
      let seen = 0;
      const opened = Promise.withResolvers<Awaited<ReturnType<typeof transfer>>>();
      const handlers = {
        open: (socket: TransferSource) =>
          void transfer(socket, fd).then(opened.resolve, opened.reject),
        data: (_: unknown, part: Uint8Array) => void (seen += part.length),
        error: () => {},
      };
      const socket = await Bun!.connect({ port, hostname: "127.0.0.1", socket: handlers });
      const { method } = await opened.promise;
      (socket as unknown as { terminate(): void }).terminate();
      assert.deepEqual([method, seen], ["splice", 0]);
      assert.ok(readFileSync(path).equals(bytes));
      scope.close();
    });
  });
});

describe("transfer() to sockets of the runtime", () => {
  it("moves by splice(2) from a pipe, behind what the program has written", () =>
    connected(async (peer, socket) => {
      const bytes = noise(5 * MIB);
      const reader = new Reader(socket);
      const pipe = new Pipe();
      peer.write("before");
      const filling = transfer(folder.file(bytes), pipe.writeFd).finally(() => pipe.closeWrite());
      const { method, bytes: moved } = await transfer(pipe.readFd, peer);
      await filling;
      peer.end("after");
      await reader.closed;
      pipe.close();
      assert.deepEqual([method, moved], ["splice", bytes.length]);
      assert.equal(reader.length, bytes.length + 11);
    }));

  it("ends when the reader goes away", () =>
    connected(async (peer, socket) => {
      const pipe = new Pipe();
      const filling = transfer("/dev/zero", pipe.writeFd).catch(() => {});
      setTimeout(() => socket.destroy(), 20);
      peer.on("error", () => {});
      await assert.rejects(transfer(pipe.readFd, peer), (error: SyscallError) => {
        assert.match(error.code, /EPIPE|ECONNRESET/);
        assert.ok(error.bytesMoved! > 0);
        return true;
      });
      pipe.close();
      await filling;
    }));
});
