import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type Server } from "node:net";
import { after, it } from "node:test";
import { sendFile } from "../../src/move/send_file/send_file.ts";
import { Folder } from "../_kit/bytes.ts";
import { describeWithoutLeaks } from "../_kit/leaks.ts";
import { HOST, listen, stop } from "../_kit/targets_net.ts";

const SIZE = 1024 * 1024;
const FILES = 16;
const DOWNLOADS = 10_000;
const AT_ONCE = 16;

const folder = new Folder();
// Each file is of one byte value, so that a foreign byte shows wherever a client stops reading.
const paths = Array.from({ length: FILES }, (_, i) => folder.file(Buffer.alloc(SIZE, 128 + i)));
after(() => folder.remove());

/** The same pseudo-random numbers in every run. */
function* numbers(): Generator<number, never> {
  for (let state = 1;;) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state / 2 ** 31;
  }
}

const SERVERS: Record<string, () => Server> = {
  "node:http": () =>
    createHttpServer((req, res) => {
      sendFile(res, paths[Number(req.url!.slice(1))]!).catch(() => {});
    }) as Server,
  "node:net": () =>
    createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (line) => {
        const index = Number(/\/(\d+)/.exec(line.toString())![1]);
        sendFile(socket, paths[index]!).then(() => socket.end(), () => {});
      });
    }),
};

/** Downloads file `index`, leaves after `limit` bytes, and returns how many bytes were another's. */
function download(port: number, index: number, limit: number): Promise<number> {
  return new Promise((resolve) => {
    let left = limit;
    let foreign = 0;
    const own = 128 + index;
    const socket = connect(port, HOST, () => {
      socket.write(`GET /${index} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      if (limit === 0) socket.resetAndDestroy();
    });
    socket.on("data", (bytes: Buffer) => {
      // The head of a response is ASCII.
      for (const byte of bytes) if (byte >= 128 && byte !== own) foreign++;
      left -= bytes.length;
      if (left <= 0) socket.resetAndDestroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(foreign));
  });
}

for (const [name, create] of Object.entries(SERVERS)) {
  const warmUp = async () => {
    const server = create();
    await download(await listen(server), 0, SIZE);
    await stop(server);
  };
  describeWithoutLeaks(`${DOWNLOADS} aborted downloads from ${name}`, { warmUp }, () => {
    it("show no client a byte of another's file", async () => {
      const server = create();
      const port = await listen(server);
      const random = numbers();
      let started = 0;
      const client = async () => {
        while (started++ < DOWNLOADS) {
          const index = Math.floor(random.next().value * FILES);
          // A tenth leaves at once, and the others somewhere within the first half.
          const limit = Math.max(0, random.next().value - 0.1) * SIZE / 2;
          assert.equal(await download(port, index, Math.floor(limit)), 0);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, client));
      await stop(server);
    });
  });
}
