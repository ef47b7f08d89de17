import assert from "node:assert/strict";
import { once } from "node:events";
import { openSync, readSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { after, it } from "node:test";
import { PassThrough, Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { createReadStream } from "../../../src/move/read_stream/read_stream.ts";
import { Folder, noise, Reader, sha256 } from "../../_kit/bytes.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { recording } from "../../_kit/serve.ts";
import { acceptOne, HOST } from "../../_kit/targets_net.ts";
import { connect } from "node:net";

type Stream = ReturnType<typeof createReadStream>;

const SIZE = 16 * 1024 * 1024 + 1;
const folder = new Folder();
const content = noise(SIZE);
const path = folder.file(content);

after(() => folder.remove());

/** A stream that is being piped into a socket whose peer does not read. */
interface Scene {
  stream: Stream;
  socket: Socket;
  /** Bytes of the peer, which starts to read with the first call of `read`. */
  peer: Reader;
  read(): void;
}

/** Runs `body` when the connection is full, which is in the middle of the file. */
async function midway(
  body: (scene: Scene) => Promise<unknown>,
  options: Parameters<typeof createReadStream>[1] = {},
): Promise<void> {
  const { accepted, dialled, close } = await acceptOne(
    createServer({ pauseOnConnect: false }),
    (port) => connect(port, HOST),
  );
  try {
    const { sent } = await recording(async () => {
      const stream = createReadStream(path, options);
      stream.pipe(accepted);
      for (let last = -1; last <= 0 || last !== stream.bytesRead;) {
        last = stream.bytesRead;
        await sleep(150);
      }
      assert.ok(stream.bytesRead < SIZE, `${stream.bytesRead} bytes`);
      const lazy = new PassThrough();
      const peer = new Reader(lazy);
      await body({ stream, socket: accepted, peer, read: () => void dialled.pipe(lazy) });
      stream.destroy();
    });
    assert.ok(sent > 0, `${sent} bytes by sendfile`);
  } finally {
    accepted.destroy();
    dialled.destroy();
    await close();
  }
}

/** The peer gets the whole file, even if another target gets a part of it. */
async function expectAll({ peer, read }: Scene): Promise<void> {
  read();
  assert.equal(await peer.closed, "end");
  await peer.expect(content);
}

/** A late target got the end of the file. */
function expectTail(parts: Uint8Array[]): void {
  const tail = Buffer.concat(parts);
  assert.ok(tail.length > 0 && tail.length < SIZE, `${tail.length} bytes`);
  assert.equal(sha256(tail), sha256(content.subarray(SIZE - tail.length)));
}

const LISTENING = ["on", "addListener", "prependListener"] as const;
const ONCE = ["once", "prependOnceListener"] as const;

describeWithoutLeaks("createReadStream(), interrupted in the middle", {
  warmUp: () => midway((scene) => expectAll(scene)),
}, () => {
  for (const method of LISTENING) {
    it(`gives the rest to a data listener too: ${method}()`, async () => {
      await midway(async (scene) => {
        const parts: Buffer[] = [];
        scene.stream[method]("data", (part) => void parts.push(part as Buffer));
        await expectAll(scene);
        expectTail(parts);
      });
    });
  }

  for (const method of ONCE) {
    it(`gives one chunk to a listener for one: ${method}()`, async () => {
      await midway(async (scene) => {
        const parts: Buffer[] = [];
        const from = scene.stream.bytesRead;
        scene.stream[method]("data", (part) => void parts.push(part as Buffer));
        await expectAll(scene);
        assert.equal(parts.length, 1);
        assert.ok(content.indexOf(parts[0]!) >= from);
      });
    });
  }

  it("gives the rest to a second destination too", async () => {
    await midway(async (scene) => {
      const parts: Buffer[] = [];
      scene.stream.pipe(
        new Writable({
          write(part, _encoding, done) {
            parts.push(part);
            done();
          },
        }),
      );
      await expectAll(scene);
      expectTail(parts);
    });
  });

  it("gives the rest to an iterator too", async () => {
    await midway(async (scene) => {
      const parts: Buffer[] = [];
      const iterate = async () => {
        for await (const part of scene.stream) parts.push(part);
      };
      await Promise.all([iterate(), expectAll(scene)]);
      expectTail(parts);
    });
  });

  it("gives the rest to a web stream too", async () => {
    await midway(async (scene) => {
      const parts: Uint8Array[] = [];
      const iterate = async () => {
        for await (const part of Readable.toWeb(scene.stream)) parts.push(part);
      };
      await Promise.all([iterate(), expectAll(scene)]);
      expectTail(parts);
    });
  });

  it("lets a readable listener read", async () => {
    await midway(async (scene) => {
      const { stream } = scene;
      const parts: Buffer[] = [];
      stream.on("readable", () => {
        for (let part; (part = stream.read());) parts.push(part);
      });
      await expectAll(scene);
      expectTail(parts);
    });
  });

  it("has nothing to read() for who does not listen", async () => {
    await midway(async (scene) => {
      assert.equal(scene.stream.read(), null);
      await expectAll(scene);
    });
  });

  it("pauses and resumes", async () => {
    await midway(async (scene) => {
      const { stream, read, peer } = scene;
      stream.pause();
      assert.equal(stream.isPaused(), true);
      const { bytesRead } = stream;
      read();
      await sleep(50);
      // The last byte may still be with the runtime, on a busy machine for longer.
      for (let i = 0; i < 500 && peer.length < bytesRead; i++) await sleep(10);
      assert.equal(peer.length, bytesRead);
      assert.ok(stream.bytesRead <= bytesRead + stream.readableHighWaterMark);
      stream.resume();
      assert.equal(await peer.closed, "end");
      await peer.expect(content);
    });
  });

  it("goes on elsewhere after unpipe()", async () => {
    await midway(async ({ stream, socket, peer, read }) => {
      stream.unpipe(socket);
      const parts: Buffer[] = [];
      for await (const part of stream) parts.push(part);
      socket.end();
      read();
      assert.equal(await peer.closed, "end");
      assert.equal(sha256(Buffer.concat([peer.bytes(), ...parts])), sha256(content));
    });
  });

  it("goes on to the same destination after unpipe() and pipe()", async () => {
    await midway(async (scene) => {
      scene.stream.unpipe();
      await sleep(10);
      scene.stream.pipe(scene.socket);
      await expectAll(scene);
    });
  });

  it("decodes the rest after setEncoding()", async () => {
    await midway(async ({ stream, peer, read }) => {
      const { bytesRead } = stream;
      stream.setEncoding("hex");
      read();
      assert.equal(await peer.closed, "end");
      const bytes = peer.bytes();
      const rest = Buffer.from(bytes.subarray(bytesRead).toString("latin1"), "hex");
      assert.equal(sha256(Buffer.concat([bytes.subarray(0, bytesRead), rest])), sha256(content));
    });
  });

  it("forwards nothing more after removeAllListeners()", async () => {
    await midway(async ({ stream, peer, read }) => {
      stream.removeAllListeners("data");
      const { bytesRead } = stream;
      read();
      assert.equal(await peer.closed, "end");
      assert.equal(peer.length, bytesRead);
      assert.equal(stream.bytesRead, SIZE);
    });
  });

  it("stops where destroy() finds it, and counts what has gone", async () => {
    await midway(async ({ stream, socket, peer, read }) => {
      stream.destroy();
      await once(stream, "close");
      assert.equal(socket.destroyed, false);
      socket.end("tail");
      read();
      assert.equal(await peer.closed, "end");
      const expected = [content.subarray(0, stream.bytesRead), Buffer.from("tail")];
      await peer.expect(Buffer.concat(expected));
    });
  });

  it("stops when its signal fires", async () => {
    const controller = new AbortController();
    await midway(async ({ stream, socket, peer, read }) => {
      const error = once(stream, "error");
      controller.abort();
      assert.equal((await error)[0].name, "AbortError");
      socket.end();
      read();
      await peer.closed;
      await peer.expect(content.subarray(0, stream.bytesRead));
    }, { signal: controller.signal });
  });

  it("leaves the position of a borrowed descriptor behind what it has read", async () => {
    const fd = openSync(path, "r");
    const rest = content.subarray(-100);
    await midway(async ({ stream, peer, read }) => {
      read();
      assert.equal(await peer.closed, "end");
      await peer.expect(content.subarray(0, -100));
      assert.equal((stream as { pos?: unknown }).pos, undefined);
      const next = Buffer.alloc(rest.length);
      readSync(fd, next);
      assert.equal(sha256(next), sha256(rest));
    }, { fd, end: SIZE - 101, autoClose: false });
  });

  it("lets others write in between", async () => {
    await midway(async ({ socket, peer, read }) => {
      socket.write("<in between>");
      read();
      assert.equal(await peer.closed, "end");
      const bytes = peer.bytes();
      const at = bytes.indexOf("<in between>");
      assert.ok(at > 0);
      const rest = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 12)]);
      assert.equal(sha256(rest), sha256(content));
    });
  });

  it("puts what is given back by unshift() between what was sent and the rest", async () => {
    await midway(async ({ stream, peer, read }) => {
      stream.unshift(Buffer.from("<in between>"));
      read();
      assert.equal(await peer.closed, "end");
      const bytes = peer.bytes();
      const at = bytes.indexOf("<in between>");
      assert.ok(at > 0);
      const rest = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 12)]);
      assert.equal(sha256(rest), sha256(content));
    });
  });

  it("does as ever when its destination is closed", async () => {
    await midway(async ({ stream, socket }) => {
      const unpiped = once(socket, "unpipe");
      socket.destroy();
      await unpiped;
      await sleep(20);
      assert.equal(stream.destroyed, false);
      // The rest can still be had.
      const parts: Buffer[] = [];
      for await (const part of stream) parts.push(part);
      expectTail(parts);
    });
  });
});
