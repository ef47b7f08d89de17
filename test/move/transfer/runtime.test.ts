import assert from "node:assert/strict";
import { createReadStream, createWriteStream, readFileSync } from "node:fs";
import { createServer as createHttpServer, get } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { after, describe, it } from "node:test";
import { type SyscallError, transfer } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { Folder, noise, Reader } from "../../_kit/bytes.ts";
import { inScope } from "../../_kit/fds.ts";
import { listen, stop, withSockets } from "../../_kit/targets_net.ts";

const MIB = 1024 * 1024;
const folder = new Folder();
after(() => folder.remove());
let sequence = 0;
const fresh = () => join(folder.path, `target-${sequence++}`);

describe("transfer() with streams of the runtime", () => {
  it("stores what a stream yields in a file", () =>
    inScope(async (scope) => {
      const bytes = noise(2 * MIB + 3);
      const source = folder.file(bytes);
      const sources = {
        "a file stream": () => createReadStream(source),
        "a web stream": () => new Blob([new Uint8Array(bytes)]).stream(),
        "a generator": async function* () {
          for (let at = 0; at < bytes.length; at += 70_000) {
            yield await Promise.resolve(bytes.subarray(at, at + 70_000));
          }
        },
        "a stream of strings": () => Readable.from(["h\u00e9", "llo"]),
      };
      for (const [name, open] of Object.entries(sources)) {
        const path = folder.file("");
        const target = scope.open(path, sys.OpenFlag.WRONLY);
        const stream = typeof open === "function" ? open() : open;
        const { bytes: moved, method } = await transfer(stream as Readable, target);
        const wanted = name === "a stream of strings" ? Buffer.from("h\u00e9llo") : bytes;
        assert.ok(readFileSync(path).equals(wanted), name);
        assert.deepEqual([moved, method], [wanted.length, "copy"]);
      }
    }));

  it("stores what a socket of the runtime receives, and takes no more than it was asked for", () =>
    withSockets((client, server) =>
      inScope(async (scope) => {
        const bytes = noise(300_000);
        const path = folder.file("");
        const target = scope.open(path, sys.OpenFlag.WRONLY);
        client.end(bytes);
        const first = await transfer(server, target, { length: 100_001 });
        const second = await transfer(server, target);
        assert.deepEqual([first.bytes, second.bytes], [100_001, 199_999]);
        assert.ok(readFileSync(path).equals(bytes));
      })
    ));

  it("writes a file, a pipe and a stream to a socket of the runtime", () =>
    withSockets((client, server) =>
      inScope(async (scope) => {
        const bytes = noise(500_000);
        const reader = new Reader(server);
        const path = folder.file(bytes);
        const { method } = await transfer(path, client);
        assert.match(method, /^(sendfile|copy)$/);
        const [read, write] = sys.pipe2(sys.OpenFlag.CLOEXEC | sys.OpenFlag.NONBLOCK);
        scope.fd(read);
        const filling = transfer(path, write).finally(() => sys.close(write));
        assert.match((await transfer(read, client)).method, /^(splice|copy)$/);
        await filling;
        await transfer(createReadStream(path), client);
        client.end();
        assert.equal(await reader.closed, "end");
        assert.equal(reader.length, 3 * bytes.length);
      })
    ));

  it("writes to any writable stream, at the pace of that stream", async () => {
    const bytes = noise(700_000);
    const path = fresh();
    const target = createWriteStream(path);
    const { method } = await transfer(folder.file(bytes), target, { start: 100_000 });
    assert.equal(method, "copy");
    target.end();
    await once(target, "close");
    assert.ok(readFileSync(path).equals(bytes.subarray(100_000)));
    const slow = new PassThrough();
    const moving = transfer(folder.file(bytes), slow);
    assert.ok(
      (await new Response(Readable.toWeb(slow) as ReadableStream).body!.getReader().read())
        .value!.length > 0,
    );
    slow.destroy();
    await assert.rejects(moving, (error: SyscallError) => {
      assert.equal(error.code, "EPIPE");
      assert.ok(error.bytesMoved < bytes.length);
      return true;
    });
  });

  it("answers a request with a file, and with what a pipe carries", () =>
    inScope(async (scope) => {
      const bytes = noise(200_000);
      const path = folder.file(bytes, ".bin");
      const server = createHttpServer((request, response) => {
        if (request.url === "/file") return void transfer(path, response);
        const [read, write] = sys.pipe2(sys.OpenFlag.CLOEXEC | sys.OpenFlag.NONBLOCK);
        scope.fd(read);
        void transfer(path, write).finally(() => sys.close(write));
        void transfer(read, response);
      });
      const port = await listen(server);
      for (const url of ["/file", "/pipe"]) {
        const [response] = await once(get({ port, path: url, agent: false }), "response");
        const reader = new Reader(response);
        assert.equal(await reader.closed, "end");
        assert.equal(reader.length, bytes.length, url);
      }
      await stop(server);
    }));

  it("stops waiting for a stream when it is aborted", () =>
    inScope(async (scope) => {
      const stuck = new PassThrough();
      stuck.write("abc");
      const target = scope.open(folder.file(""), sys.OpenFlag.WRONLY);
      // Not AbortSignal.timeout(): nothing else keeps Node.js 22 alive, and that does not.
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 100);
      await assert.rejects(transfer(stuck, target, { signal: controller.signal }), {
        name: "AbortError",
        bytesMoved: 3,
      });
      assert.equal(stuck.destroyed, false);
      stuck.destroy();
    }));

  it("refuses methods, offsets and values that a stream cannot have", () =>
    inScope(async (scope) => {
      const target = scope.open(folder.file(""), sys.OpenFlag.WRONLY);
      const stream = () => Readable.from([Buffer.from("x")]);
      await assert.rejects(transfer(stream(), target, { method: "splice" }), {
        name: "UnsupportedError",
      });
      await assert.rejects(transfer(stream(), target, { start: 1 }), { code: "ESPIPE" });
      await assert.rejects(transfer(Readable.from([1]) as never, target), TypeError);
      const path = folder.file("x");
      const sink = new PassThrough();
      await assert.rejects(transfer(path, sink, { method: "sendfile" }), {
        name: "UnsupportedError",
      });
      await assert.rejects(transfer(path, sink, { targetOffset: 1 }), { code: "ESPIPE" });
      await assert.rejects(transfer(stream(), sink, { targetOffset: 1 }), { code: "ESPIPE" });
      await assert.rejects(transfer(path, new Readable() as never), TypeError);
    }));
});
