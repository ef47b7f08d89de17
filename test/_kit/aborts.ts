/** Downloads that are aborted at every stage, and checks of what they leave behind. @module */

import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { statSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { createReadStream } from "../../src/move/read_stream/read_stream.ts";
import type { TransferEvent } from "../../src/move/engine/diagnostics.ts";
import { sendFile } from "../../src/move/send_file/send_file.ts";
import { Folder } from "./bytes.ts";
import { openDescriptors, startThreads } from "./leaks.ts";
import { listening, withServer } from "./serve.ts";
import { HOST } from "./targets_net.ts";

const SIZE = 3 * 1024 * 1024;
/** File `n` contains only byte `n`: a client that gets another byte reads a reused descriptor. */
const MARKS = Array.from({ length: 16 }, (_, i) => i + 65);
const PEERS = 16;
/** One download in this many runs to its end. */
const WHOLE = 10;

/** Ways to answer a request for a file. */
export const WAYS: Record<string, (res: ServerResponse, path: string) => unknown> = {
  "createReadStream().pipe(res)"(res, path) {
    const stream = createReadStream(path);
    // As `send` does: a pipe leaves its source open when the target closes.
    res.on("close", () => stream.destroy());
    res.setHeader("Content-Length", statSync(path).size);
    stream.pipe(res);
  },
  "sendFile(res)"(res, path) {
    sendFile(res, path).catch((error) => {
      assert.match(error.code, /^(EPIPE|ECONNRESET)$/, error.stack);
    });
  },
};

/** Aborts `count` downloads, and checks every byte that arrives and everything left behind. */
export async function breakOff(count: number, way: string): Promise<{ sent: number }> {
  const folder = new Folder();
  const paths = MARKS.map((mark) => folder.file(Buffer.alloc(SIZE, mark)));
  const warnings: Error[] = [];
  const warn = (warning: Error) => void warnings.push(warning);
  process.on("warning", warn);
  try {
    const answer = WAYS[way]!;
    return await withServer(
      (req, res) => void answer(res, paths[Number(req.url!.slice(1))]!),
      async (port) => {
        await downloads(port, PEERS * 4, 1);
        await startThreads();
        await sleep(100);
        const descriptors = openDescriptors().length;
        let rss = 0;
        let sent = 0;
        // Errors are not kept: their stacks would keep other objects alive.
        const add = ({ bytes, method }: TransferEvent) => {
          if (method === "sendfile") sent += bytes;
        };
        await listening(add, async () => {
          await downloads(port, count / 2, 2);
          // By now, the memory of a busy process is stable.
          ({ rss } = process.memoryUsage());
          await downloads(port, count / 2, 3);
        });
        for (let i = 0; i < 100 && openDescriptors().length > descriptors; i++) await sleep(20);
        assert.ok(openDescriptors().length <= descriptors, openDescriptors().join(" "));
        const grown = (process.memoryUsage().rss - rss) / 2 ** 20;
        assert.ok(grown < 100, `${Math.round(grown)} MiB more after ${count} downloads`);
        const leaks = warnings.filter(({ name }) => /MaxListeners/.test(name));
        assert.deepEqual(leaks, []);
        return { sent };
      },
    );
  } finally {
    process.off("warning", warn);
    folder.remove();
  }
}

/** Runs some peers, each with one download after the other. */
async function downloads(port: number, count: number, seed: number): Promise<void> {
  let next = 0;
  const random = generator(seed);
  await Promise.all(Array.from({ length: PEERS }, async () => {
    while (next < count) {
      const whole = next++ % WHOLE === 0;
      await download(port, Math.floor(random() * MARKS.length), whole ? Infinity : random());
    }
  }));
}

/** Downloads up to `fraction` of a file; below 0.1, aborts before the head. */
function download(port: number, file: number, fraction: number): Promise<void> {
  const expected = Buffer.alloc(64 * 1024, MARKS[file]);
  const limit = fraction === Infinity ? SIZE : Math.floor(fraction * fraction * SIZE);
  return new Promise((resolve, reject) => {
    let body = -1;
    let head = "";
    const socket = connect(port, HOST);
    socket.on("connect", () => {
      socket.write(`GET /${file} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      if (fraction < 0.1) socket.destroy();
    });
    socket.on("data", (chunk: Buffer) => {
      if (body < 0) {
        head += chunk.toString("latin1");
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        chunk = Buffer.from(head.slice(end + 4), "latin1");
        body = 0;
      }
      for (let at = 0; at < chunk.length; at += expected.length) {
        const part = chunk.subarray(at, at + expected.length);
        if (!part.equals(expected.subarray(0, part.length))) {
          reject(new Error(`bytes of another file after ${body + at} bytes of ${MARKS[file]}`));
        }
      }
      body += chunk.length;
      if (body < limit) return;
      // Sometimes the peer stops reading first, so that the server waits for it.
      if (fraction < 0.5) socket.pause();
      if (fraction < 0.3) setTimeout(() => socket.destroy(), 5);
      else socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      if (fraction === Infinity && body !== SIZE) reject(new Error(`${body} of ${SIZE} bytes`));
      else resolve();
    });
  });
}

/** Numbers in 0..1, the same in every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
