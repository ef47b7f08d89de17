import assert from "node:assert/strict";
import { openAsBlob, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { after, describe, it } from "node:test";
import { broadcast, transfer } from "../../../src/mod.ts";
import type { TransferSource } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { available } from "../../../src/sys/libc.ts";
import { Folder, noise as randomBytes } from "../../_kit/bytes.ts";
import { inScope } from "../../_kit/fds.ts";
import { withWebSocket } from "../../_kit/web_socket_peer.ts";

const KIB = 1024;
const noise = (length: number) => randomBytes(length) as Buffer<ArrayBuffer>;
const folder = new Folder();
after(() => folder.remove());

/** The part of Bun that is used here. */
interface Bun {
  file(path: string): Blob;
  serve(options: unknown): { port: number; stop(now: boolean): Promise<void> };
}

const BUN = (globalThis as { Bun?: Bun }).Bun;
const NOT_BUN = BUN === undefined ? "only Bun has Bun.file" : false;
const NO_CALLS = available() ? false : "descriptors of other files need system calls";

/** A stream that keeps what it gets, and fails if its chunks share memory with anybody else. */
function collector(): { stream: WritableStream<Uint8Array>; bytes(): Buffer; closed: boolean } {
  const chunks: Uint8Array[] = [];
  const collected = {
    closed: false,
    bytes: () => Buffer.concat(chunks),
    stream: new WritableStream<Uint8Array>({
      write(chunk) {
        assert.equal(chunk.constructor, Uint8Array);
        // As a byte stream does: nobody else may use the memory any more.
        chunks.push(new Uint8Array((chunk.buffer as ArrayBuffer).transfer()));
      },
      close: () => void (collected.closed = true),
    }),
  };
  return collected;
}

/** Moves a source into a file, and returns the file's bytes. */
async function stored(source: TransferSource, options = {}): Promise<Buffer> {
  const target = collector();
  const { bytes, method } = await transfer(source, target.stream, options);
  assert.equal(bytes, target.bytes().length);
  assert.equal(method, bytes === 0 ? "none" : "copy");
  return target.bytes();
}

describe("transfer() to a WritableStream", () => {
  it("writes a file, a stream and a pipe, and leaves it open and unlocked", () =>
    inScope(async (scope) => {
      const bytes = noise(300 * KIB + 7);
      const path = folder.file(bytes);
      const { stream, bytes: got, closed } = collector();
      assert.equal((await transfer(path, stream, { start: 5 })).method, "copy");
      assert.equal((await transfer(new Blob([bytes]), stream)).bytes, bytes.length);
      let expected = Buffer.concat([bytes.subarray(5), bytes]);
      if (NO_CALLS === false) {
        const [read, write] = sys.pipe2(sys.OpenFlag.CLOEXEC | sys.OpenFlag.NONBLOCK);
        scope.fd(read);
        const filling = transfer(path, write).finally(() => sys.close(write));
        await transfer(read, stream);
        await filling;
        expected = Buffer.concat([expected, bytes]);
      }
      assert.ok(got().equals(expected));
      assert.equal(closed, false);
      assert.equal(stream.locked, false);
      await stream.close();
    }));

  it("writes into what has a writable side, at the pace of its readable side", async () => {
    const bytes = noise(700 * KIB);
    const gzip = new CompressionStream("gzip");
    let ended = false;
    const moving = transfer(folder.file(bytes), gzip as never).then(() => {
      ended = true;
      return gzip.writable.close();
    });
    const reader = gzip.readable.getReader();
    await reader.read();
    assert.equal(ended, false);
    reader.releaseLock();
    const rest = stored(gzip.readable as ReadableStream<Uint8Array>);
    await moving;
    assert.ok((await rest).length > 600 * KIB);
  });

  it("waits for each write, and stops waiting when it is aborted", async () => {
    const controller = new AbortController();
    let writes = 0;
    const stuck = new WritableStream({
      write: () => {
        writes++;
        controller.abort();
        return new Promise<void>(() => {});
      },
    }, { highWaterMark: 100 });
    const { signal } = controller;
    await assert.rejects(transfer(folder.file(noise(900 * KIB)), stuck, { signal }), {
      name: "AbortError",
      bytesMoved: 0,
    });
    assert.equal(writes, 1);
    assert.equal(stuck.locked, false);
  });

  it("fails when the stream does, with the stream's error as the cause", async () => {
    let left = 2;
    const failing = new WritableStream({
      write() {
        if (left-- === 0) throw new RangeError("full");
      },
    });
    await assert.rejects(transfer(folder.file(noise(900 * KIB)), failing), (error: never) => {
      const { code, bytesMoved, cause } = error as { [name: string]: unknown };
      assert.equal(code, "EPIPE");
      assert.ok((bytesMoved as number) > 0);
      assert.equal((cause as Error).message, "full");
      return true;
    });
    const closed = new WritableStream();
    await closed.close();
    await assert.rejects(transfer(folder.file("x"), closed), { code: "EPIPE" });
  });

  it("refuses a locked stream, and offsets and methods that it cannot have", async () => {
    const path = folder.file("x");
    const locked = new WritableStream();
    locked.getWriter();
    await assert.rejects(transfer(path, locked), { name: "TypeError", message: /it is locked$/ });
    const stream = new WritableStream();
    await assert.rejects(transfer(path, stream, { targetOffset: 1 }), { code: "ESPIPE" });
    if (NO_CALLS === false) {
      await assert.rejects(transfer(path, stream, { method: "splice" }), {
        name: "UnsupportedError",
      });
    }
    assert.equal(stream.locked, false);
  });

  it("gets every byte of a broadcast, with memory of its own", async () => {
    const bytes = noise(900 * KIB + 3);
    const targets = [collector(), collector(), collector()];
    const source = new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 50_000) {
          controller.enqueue(new Uint8Array(bytes.subarray(at, at + 50_000)));
        }
        controller.close();
      },
    });
    for (const from of [folder.file(bytes), source]) {
      const result = await broadcast(from, targets.map(({ stream }) => stream));
      assert.deepEqual(result.targets.map(({ outcome }) => outcome), Array(3).fill("complete"));
    }
    for (const { stream, bytes: got } of targets) {
      assert.ok(got().equals(Buffer.concat([bytes, bytes])));
      assert.equal(stream.locked, false);
    }
  });

  it("does not disturb the other targets of a broadcast when it fails or hangs", async () => {
    const bytes = noise(3000 * KIB);
    const good = collector();
    const failing = new WritableStream({ write: () => Promise.reject(new Error("no")) });
    const stuck = new WritableStream({ write: () => new Promise<void>(() => {}) });
    const locked = new WritableStream();
    locked.getWriter();
    const result = await broadcast(
      folder.file(bytes),
      [good.stream, failing, stuck, locked],
      { slow: "disconnect", slowMs: 20 },
    );
    const of = (stream: unknown) => result.targets.find(({ target }) => target === stream)!;
    assert.equal(of(good.stream).outcome, "complete");
    assert.ok(good.bytes().equals(bytes));
    assert.equal((of(failing).error as { code?: string }).code, "EPIPE");
    assert.equal(of(stuck).error?.name, "SlowTargetError");
    assert.equal(of(locked).error?.name, "TypeError");
  });
});

describe("transfer() from bodies of the web", () => {
  it("reads a Blob, and a part of it", async () => {
    const bytes = noise(200 * KIB);
    const blob = new Blob([bytes]);
    assert.ok((await stored(blob)).equals(bytes));
    assert.ok((await stored(blob, { start: 10, end: 70_009 })).equals(bytes.subarray(10, 70_010)));
    assert.ok((await stored(blob.slice(99), { length: 5 })).equals(bytes.subarray(99, 104)));
    assert.equal((await stored(new Blob([]))).length, 0);
    await assert.rejects(stored(blob, { start: 200 * KIB + 1 }), RangeError);
    const target = collector();
    const result = await broadcast(blob, [target.stream], { start: 7, length: 100 });
    assert.equal(result.bytes, 100);
    assert.ok(target.bytes().equals(bytes.subarray(7, 107)));
  });

  it("reads a Blob with a file behind it, whole or in part", async () => {
    const bytes = noise(200 * KIB);
    const blob = await openAsBlob(folder.file(bytes));
    assert.ok((await stored(blob)).equals(bytes));
    assert.ok((await stored(blob, { start: 1000, length: 9 })).equals(bytes.subarray(1000, 1009)));
  });

  it("reads what Bun.file shows, whatever its name says", { skip: NOT_BUN }, async () => {
    const bytes = noise(200 * KIB);
    const path = folder.file(bytes);
    const file = BUN!.file(path) as File;
    assert.ok((await stored(file)).equals(bytes));
    assert.ok((await stored(file.slice(100, 300))).equals(bytes.subarray(100, 300)));
    assert.ok((await stored(file, { start: 100, length: 9 })).equals(bytes.subarray(100, 109)));
    (file as { name: string }).name = folder.file("other");
    assert.ok((await stored(file)).equals(bytes));
    renameSync(folder.file("new"), path);
    assert.equal((await stored(BUN!.file(path))).toString(), "new");
    assert.ok((await stored(BUN!.file("/proc/self/status"))).includes("Pid:"));
    await assert.rejects(stored(BUN!.file(`${path}.missing`)), { code: "ENOENT" });
  });

  it("says that the file behind a Blob has become shorter", { skip: NOT_BUN }, async () => {
    const path = folder.file(noise(300 * KIB));
    const file = BUN!.file(path);
    assert.equal(file.size, 300 * KIB);
    truncateSync(path, 100 * KIB);
    await assert.rejects(stored(file), { name: "TruncatedError", bytesMoved: 100 * KIB });
  });

  it("reads a Response and a Request, once", async () => {
    const bytes = noise(150 * KIB);
    const own = new Uint8Array(bytes);
    const response = new Response(own);
    assert.ok((await stored(response)).equals(bytes));
    await assert.rejects(stored(response), { name: "TypeError", message: /has been read$/ });
    const request = new Request("http://localhost/", { method: "POST", body: own });
    assert.ok((await stored(request)).equals(bytes));
    assert.equal((await stored(new Response(null))).length, 0);
    const locked = new Response(own);
    locked.body!.getReader();
    await assert.rejects(stored(locked), { name: "TypeError", message: /locked$|been read$/ });
    await assert.rejects(stored(new Response(own), { start: 1 }), { code: "ESPIPE" });
  });

  it("cancels the body that it does not read to the end, and stops waiting", async () => {
    for (const options of [{ length: 3 }, { signal: AbortSignal.timeout(50) }]) {
      const { promise: cancelled, resolve } = Promise.withResolvers<void>();
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(5)),
        cancel: () => resolve(),
      });
      const alive = setInterval(() => {}, 1000);
      const moving = stored(new Response(body), options);
      if ("length" in options) assert.equal((await moving).length, 3);
      else await assert.rejects(moving, { name: "AbortError", bytesMoved: 5 });
      await cancelled;
      clearInterval(alive);
    }
  });
});

describe("transfer() from a ReadableStream", () => {
  it("leaves it open and unlocked after a part; a byte stream loses nothing", async () => {
    const bytes = noise(100 * KIB);
    const stream = new ReadableStream({
      type: "bytes",
      start(controller) {
        controller.enqueue(new Uint8Array(bytes));
        controller.close();
      },
    });
    const parts = [await stored(stream, { length: 10 }), await stored(stream, { length: 70_000 })];
    assert.equal(stream.locked, false);
    parts.push(await stored(stream));
    assert.deepEqual(parts.map(({ length }) => length), [10, 70_000, 100 * KIB - 70_010]);
    assert.ok(Buffer.concat(parts).equals(bytes));
  });

  it("leaves it open when it is aborted during a read", async () => {
    let controller!: ReadableStreamDefaultController<Uint8Array>;
    let cancelled = false;
    const stream = new ReadableStream({
      start: (given) => void (controller = given),
      cancel: () => void (cancelled = true),
    });
    const abort = new AbortController();
    const moving = stored(stream, { signal: abort.signal });
    setImmediate(() => abort.abort());
    await assert.rejects(moving, { name: "AbortError" });
    controller.enqueue(Buffer.from("later"));
    controller.close();
    assert.equal((await stored(stream)).toString(), "later");
    assert.equal(cancelled, false);
  });

  it("passes its error on, skips empty chunks, and refuses what is no bytes", async () => {
    const of = (...chunks: unknown[]) =>
      new ReadableStream({
        start(controller) {
          for (const chunk of chunks) {
            if (chunk instanceof Error) return controller.error(chunk);
            controller.enqueue(chunk);
          }
          controller.close();
        },
      });
    const empty = new Uint8Array(0);
    assert.equal((await stored(of(empty, Buffer.from("a"), empty, "b", empty))).toString(), "ab");
    for (const wrong of [7, new ArrayBuffer(3), new Uint16Array(3), { length: 3 }, null]) {
      const stream = of(wrong);
      await assert.rejects(stored(stream), {
        name: "TypeError",
        message: /^Cannot transfer .*: the source must yield bytes \(Uint8Array\) or strings$/,
      });
      assert.equal(stream.locked, false);
    }
    await assert.rejects(stored(of(new RangeError("broken"))), { message: "broken" });
    const locked = of(empty);
    locked.getReader();
    await assert.rejects(stored(locked), { name: "TypeError", message: /it is locked$/ });
    await assert.rejects(broadcast(locked, [collector().stream]), TypeError);
  });

  it("survives a source that takes back the memory of its chunks", async () => {
    const path = folder.file("");
    async function* thief() {
      for (let i = 0; i < 20; i++) {
        const chunk = new Uint8Array(100_000).fill(1);
        queueMicrotask(() => setImmediate(() => chunk.buffer.transfer(0)));
        yield await Promise.resolve(chunk);
      }
    }
    await inScope(async (scope) => {
      const target = NO_CALLS === false ? scope.open(path, sys.OpenFlag.WRONLY) : undefined;
      const moving = target === undefined ? stored(thief()) : transfer(thief(), target);
      // Either is right, as long as no byte is written that the source did not yield.
      await moving.catch((error) => assert.equal(error.name, "TypeError"));
    });
    assert.ok(readFileSync(path).every((byte) => byte === 1));
  });
});

describe("transfer() to a WebSocket", () => {
  it("sends binary messages at the pace of the peer", () =>
    withWebSocket(async ({ client, messages }) => {
      const bytes = noise(9000 * KIB + 5);
      let most = 0;
      const moving = transfer(folder.file(bytes), client as never, {
        onProgress: () => void (most = Math.max(most, client.bufferedAmount)),
      });
      const got = await messages(bytes.length);
      assert.ok(Buffer.concat(got).equals(bytes));
      assert.ok(got.every(({ length }) => length > 0 && length <= 64 * KIB));
      assert.ok(most <= 576 * KIB, `${most}`);
      const { bytes: moved, method } = await moving;
      assert.deepEqual([moved, method], [bytes.length, "copy"]);
      assert.equal(client.readyState, 1);
      // So that the second message is complete, too.
      const second = transfer(Object.assign(new Blob(["abc"])), client as never);
      assert.equal(Buffer.concat(await messages(3)).toString(), "abc");
      await second;
    }));

  it("stops waiting for a peer that does not read, or is gone", () =>
    withWebSocket(async ({ client, socket }) => {
      const path = folder.file("");
      writeFileSync(path, noise(20_000 * KIB));
      const controller = new AbortController();
      const moving = transfer(path, client as never, { signal: controller.signal });
      setTimeout(() => controller.abort(), 100);
      await assert.rejects(moving, { name: "AbortError" });
      const again = transfer(path, client as never);
      socket.destroy();
      await assert.rejects(again, { code: "EPIPE" });
      await assert.rejects(transfer(path, client as never), { code: "EPIPE" });
    }));

  it("waits for the socket of another kind, and says what it drops", async () => {
    const sent: number[] = [];
    let waiting = 0;
    const socket = {
      readyState: 0,
      getBufferedAmount: () => waiting,
      close() {},
      send(message: Uint8Array) {
        if (sent.push(message.length) === 20) return 0;
        waiting += message.length;
        setImmediate(() => void (waiting -= message.length));
        return -1;
      },
    };
    setImmediate(() => void (socket.readyState = 1));
    await transfer(new Blob([new Uint8Array(200_000)]), socket);
    assert.deepEqual(sent.reduce((a, b) => a + b), 200_000);
    assert.equal(waiting, 0);
    await assert.rejects(transfer(folder.file(noise(2000 * KIB)), socket), { code: "EPIPE" });
  });

  it("sends by a ServerWebSocket of Bun", { skip: NOT_BUN }, async () => {
    const bytes = noise(5000 * KIB);
    const result = Promise.withResolvers<{ bytes: number }>();
    const server = BUN!.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request: unknown, own: { upgrade(request: unknown): boolean }) =>
        own.upgrade(request) ? undefined : new Response("no"),
      websocket: {
        open: (socket: never) => void transfer(new Blob([bytes]), socket).then(result.resolve),
        message() {},
      },
    });
    const client = new WebSocket(`ws://127.0.0.1:${server.port}/`);
    client.binaryType = "arraybuffer";
    const parts: Buffer[] = [];
    let left = bytes.length;
    await new Promise<void>((resolve) =>
      client.addEventListener("message", ({ data }) => {
        parts.push(Buffer.from(data));
        if ((left -= data.byteLength) === 0) resolve();
      })
    );
    assert.equal((await result.promise).bytes, bytes.length);
    const closed = new Promise((resolve) => client.addEventListener("close", resolve));
    client.close();
    await closed;
    await server.stop(true);
    assert.ok(Buffer.concat(parts).equals(bytes));
  });
});
