import assert from "node:assert/strict";
import {
  appendFileSync,
  closeSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { sendFile, type SyscallError, transfer, type TransferOptions } from "../../../src/mod.ts";
import { available } from "../../../src/sys/libc.ts";
import * as sys from "../../../src/sys/mod.ts";
import { Folder, noise, Reader } from "../../_kit/bytes.ts";
import { inScope } from "../../_kit/fds.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { listen, stop, withSockets } from "../../_kit/targets_net.ts";

const KIB = 1024;
const folder = new Folder();
after(() => folder.remove());
const NO_CALLS = available() ? false : "descriptors of pipes need system calls";

/** Runs `body` with a client that follows a file, and what it receives. */
function following(
  path: string | number,
  body: (reader: Reader, moving: Promise<{ bytes: number; method: string }>) => Promise<void>,
  options: TransferOptions = {},
): Promise<void> {
  return withSockets(async (client, server) => {
    const controller = new AbortController();
    const reader = new Reader(server);
    client.on("error", () => {});
    const { signal } = controller;
    const source = typeof path === "number" ? { fd: path } : path;
    const moving = transfer(source, client, { follow: true, signal, ...options });
    moving.catch(() => {});
    try {
      await body(reader, moving);
    } finally {
      controller.abort();
      await moving.catch(() => {});
    }
  });
}

/** Waits until the client has received this text. */
async function received(reader: Reader, text: string): Promise<void> {
  assert.equal((await reader.take(text.length)).toString(), text);
}

const group: typeof describeWithoutLeaks = NO_CALLS === false
  ? describeWithoutLeaks
  : (name, _, body) => describe(name, body);

group("transfer({ follow: true })", {
  warmUp: () =>
    following(folder.file("a"), async (reader) => {
      await reader.take(1);
    }),
}, () => {
  it("sends what the file has, and then what is appended, until it is removed", async () => {
    const path = folder.file("one\n");
    await following(path, async (reader, moving) => {
      await received(reader, "one\n");
      appendFileSync(path, "two\n");
      await received(reader, "one\ntwo\n");
      const much = noise(3000 * KIB);
      appendFileSync(path, much);
      await reader.expect(Buffer.concat([Buffer.from("one\ntwo\n"), much]));
      appendFileSync(path, "last");
      unlinkSync(path);
      const { bytes, method } = await moving;
      assert.equal(bytes, 8 + much.length + 4);
      assert.match(method, /^(sendfile|copy)$/);
      assert.equal((await reader.take(bytes)).subarray(-4).toString(), "last");
    });
  });

  it("goes on at the first byte of a file that was truncated", async () => {
    const path = folder.file("a long line\n");
    await following(path, async (reader) => {
      await received(reader, "a long line\n");
      truncateSync(path);
      appendFileSync(path, "new\n");
      await received(reader, "a long line\nnew\n");
      writeFileSync(path, "");
      writeFileSync(path, "2\n");
      await received(reader, "a long line\nnew\n2\n");
    });
  });

  it("goes on with the file that has the name now, after the rest of the old one", async () => {
    const path = folder.file("old 1\n");
    let text = "old 1\n";
    await following(path, async (reader) => {
      await received(reader, text);
      // As logrotate does: the writer goes on with the old file for a while.
      const writer = openSync(path, "a");
      renameSync(path, `${path}.1`);
      appendFileSync(writer, "old 2\n");
      await received(reader, text += "old 2\n");
      writeFileSync(path, "new 1\n");
      closeSync(writer);
      await received(reader, text += "new 1\n");
      appendFileSync(`${path}.1`, "nobody reads this\n");
      appendFileSync(path, "new 2\n");
      await received(reader, text += "new 2\n");
      // Renamed over.
      writeFileSync(`${path}.tmp`, "third\n");
      renameSync(`${path}.tmp`, path);
      await received(reader, text += "third\n");
      for (let i = 0; i < 20; i++) {
        writeFileSync(`${path}.tmp`, `rotation ${i}\n`);
        renameSync(`${path}.tmp`, path);
        await received(reader, text += `rotation ${i}\n`);
      }
    });
  });

  it("follows a link to the file that it leads to now", async () => {
    const [a, b] = [folder.file("a"), folder.file("b")];
    const link = join(folder.path, "link");
    symlinkSync(a, link);
    await following(link, async (reader) => {
      await received(reader, "a");
      symlinkSync(b, `${link}.tmp`);
      renameSync(`${link}.tmp`, link);
      await received(reader, "ab");
    });
  });

  it("follows a descriptor, whatever becomes of its name", async () => {
    const path = folder.file("1");
    const fd = openSync(path, "r");
    await following(fd, async (reader, moving) => {
      await received(reader, "1");
      renameSync(path, `${path}.moved`);
      writeFileSync(path, "another file");
      appendFileSync(`${path}.moved`, "2");
      await received(reader, "12");
      rmSync(`${path}.moved`);
      assert.equal((await moving).bytes, 2);
    });
    closeSync(fd);
  });

  it("ends at the length or the end that was asked for, and begins where it was told to", async () => {
    const path = folder.file("0123");
    await following(path, async (reader, moving) => {
      await received(reader, "23");
      appendFileSync(path, "456789");
      assert.equal((await moving).bytes, 5);
      await received(reader, "23456");
    }, { start: 2, length: 5 });
    await following(path, async (_reader, moving) => {
      assert.equal((await moving).bytes, 4);
    }, { start: 1, end: 4 });
    await following(path, async (_reader, moving) => {
      await assert.rejects(moving, RangeError);
    }, { start: 100 });
  });

  it("leaves the connection open when it is aborted, at a byte that it tells", async () => {
    const path = folder.file("abc");
    await withSockets(async (client, server) => {
      const reader = new Reader(server);
      const controller = new AbortController();
      const moving = transfer(path, client, { follow: true, signal: controller.signal });
      await received(reader, "abc");
      controller.abort();
      await assert.rejects(moving, { name: "AbortError", bytesMoved: 3 });
      client.end("bye");
      await received(reader, "abcbye");
      const aborted = AbortSignal.abort();
      await assert.rejects(transfer(path, client, { follow: true, signal: aborted }), {
        name: "AbortError",
      });
    });
  });

  it("ends when the client is gone, even if nothing is appended", async () => {
    const path = folder.file("abc");
    await following(path, async (reader, moving) => {
      await received(reader, "abc");
      (reader.stream as Socket).resetAndDestroy();
      await assert.rejects(moving, (error: SyscallError) => /EPIPE|ECONNRESET/.test(error.code));
    });
    await withSockets(async (client) => {
      const moving = transfer(path, client, { follow: true, onProgress: () => client.destroy() });
      await assert.rejects(moving, (error: SyscallError) => /EPIPE|ECONNRESET/.test(error.code));
    });
  });

  it("waits for a slow reader, and survives a truncation meanwhile", async () => {
    const path = folder.file(noise(20_000 * KIB));
    await withSockets(async (client, server) => {
      const controller = new AbortController();
      server.pause();
      const started = Promise.withResolvers<void>();
      const moving = transfer(path, client, {
        follow: true,
        signal: controller.signal,
        onProgress: () => started.resolve(),
      });
      await started.promise;
      truncateSync(path);
      appendFileSync(path, "after");
      let tail: Buffer = Buffer.alloc(0);
      const seen = Promise.withResolvers<void>();
      server.on("data", (bytes: Buffer) => {
        tail = Buffer.concat([tail, bytes]).subarray(-5);
        if (tail.toString() === "after") seen.resolve();
      });
      server.resume();
      await seen.promise;
      controller.abort();
      await assert.rejects(moving, { name: "AbortError" });
    });
  });

  it(
    "follows into a file, a pipe and a stream of the web",
    { skip: NO_CALLS },
    () =>
      inScope(async (scope) => {
        const path = folder.file("abc");
        const copy = folder.file("");
        const target = scope.open(copy, sys.OpenFlag.WRONLY);
        const [read, write] = sys.pipe2(sys.OpenFlag.CLOEXEC | sys.OpenFlag.NONBLOCK);
        scope.fd(read);
        scope.fd(write);
        const chunks: Uint8Array[] = [];
        const stream = new WritableStream<Uint8Array>({
          write: (chunk) => void chunks.push(chunk),
        });
        const options = { follow: true, length: 6 };
        const moving = [target, write, stream].map((to) => transfer(path, to, options));
        await transfer(read, scope.open(folder.file(""), sys.OpenFlag.WRONLY), { length: 3 });
        appendFileSync(path, "def");
        const methods = (await Promise.all(moving)).map(({ method }) => method);
        assert.deepEqual(methods, ["copy", "splice", "copy"]);
        assert.equal(Buffer.concat(chunks).toString(), "abcdef");
        const copied = new Uint8Array(9);
        assert.equal(sys.pread(scope.open(copy, sys.OpenFlag.RDONLY), copied, 0), 6);
        assert.equal(Buffer.from(copied.subarray(0, 6)).toString(), "abcdef");
      }),
  );

  it("answers a request with a growing file, in chunks or until the connection ends", async () => {
    const path = folder.file("a", ".txt");
    const outcomes: Promise<unknown>[] = [];
    const server = createServer((request, response) => {
      if (request.url === "/plain") {
        response.setHeader("Connection", "close");
        response.removeHeader("Transfer-Encoding");
      }
      outcomes.push(sendFile(response, path, { follow: true }));
    });
    const port = await listen(server);
    const readers: Reader[] = [];
    for (const url of ["/chunks", "/plain"]) {
      const [response] = await once(get({ port, path: url, agent: false }), "response") as [
        IncomingMessage,
      ];
      assert.equal(response.headers["content-length"], undefined);
      assert.match(response.headers["content-type"]!, /^text\/plain/);
      readers.push(new Reader(response));
      await received(readers.at(-1)!, "a");
    }
    appendFileSync(path, "b");
    for (const reader of readers) await received(reader, "ab");
    unlinkSync(path);
    for (const reader of readers) assert.equal(await reader.closed, "end");
    await Promise.all(outcomes);
    await stop(server);
  });

  it("ends with the response, and cuts it when it is aborted", async () => {
    const path = folder.file("a");
    const controller = new AbortController();
    const outcomes: Promise<unknown>[] = [];
    const server = createServer((_request, response) => {
      const moving = sendFile(response, path, { follow: true, signal: controller.signal });
      moving.catch(() => {});
      outcomes.push(moving);
    });
    const port = await listen(server);
    const open = async () => {
      const [response] = await once(get({ port, agent: false }), "response") as [IncomingMessage];
      const reader = new Reader(response);
      await received(reader, "a");
      return reader;
    };
    const left = await open();
    left.stream.destroy();
    await assert.rejects(outcomes[0]!, (error: SyscallError) => error.code === "EPIPE");
    const cut = await open();
    controller.abort();
    await assert.rejects(outcomes[1]!, { name: "AbortError", bytesMoved: 1 });
    assert.equal(await cut.closed, "cut");
    await stop(server);
  });

  it("refuses what does not go with it", async () => {
    const path = folder.file("a");
    await withSockets(async (client) => {
      const bad = [
        { follow: 1 },
        { follow: true, method: "sendfile" },
        { follow: true, targetOffset: 0 },
      ];
      for (const options of bad) {
        await assert.rejects(transfer(path, client, options as never), TypeError);
      }
      for (const options of [{ header: Buffer.from("x") }, { root: "." }, { kernelTls: true }]) {
        await assert.rejects(sendFile(client, path, { follow: true, ...options }), {
          name: "TypeError",
          message: /^Cannot send a file: follow cannot be combined with /,
        });
      }
      await assert.rejects(transfer(folder.path, client, { follow: true }), { code: "EISDIR" });
      await assert.rejects(transfer(`${path}.none`, client, { follow: true }), { code: "ENOENT" });
      const stream = new ReadableStream();
      await assert.rejects(transfer(stream, client, { follow: true }), { code: "EINVAL" });
    });
  });
});

describe("transfer({ follow: true }) of files that the kernel generates", () => {
  it("refuses them", { skip: NO_CALLS }, () =>
    withSockets(async (client) => {
      await assert.rejects(transfer("/proc/self/status", client, { follow: true }), {
        code: "EINVAL",
      });
    }));
});
