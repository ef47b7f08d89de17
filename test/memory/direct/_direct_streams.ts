/** Files as streams. @module */

import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { it } from "node:test";
import { DirectFile } from "../../../src/mod.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import {
  bytesFrom,
  choose,
  type Engine,
  plainRead,
  warmUp,
  withDirect,
  withPath,
} from "./_direct.ts";

const SIZE = 300_007;

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  // Copy borrowed memory before the next step.
  for await (const chunk of chunks) all.push(chunk.slice());
  return new Uint8Array(Buffer.concat(all));
}

/** The tests, on one engine. */
export function streamSuite(engine: Engine): void {
  const prepare = () => {
    choose(engine);
    return warmUp();
  };
  describeWithoutLeaks(`DirectFile by ${engine}: streams`, { warmUp: prepare }, () => {
    const content = bytesFrom(7, SIZE);
    const withContent = (body: (file: DirectFile, path: string) => Promise<unknown>) =>
      withPath(content, async (path) => {
        const file = await DirectFile.open(path);
        try {
          await body(file, path);
        } finally {
          await file.close();
        }
      });

    it("reads every range, with every depth and size of block", () =>
      withContent(async (file) => {
        for (const blockSize of [512, 4096, 65_536, 1024 * 1024]) {
          for (const depth of [1, 2, 16]) {
            for (const lend of [false, true]) {
              for (
                const [range, from, to] of [
                  [{}, 0, SIZE],
                  [{ start: 1 }, 1, SIZE],
                  [{ start: 4096, length: 512 }, 4096, 4608],
                  [{ start: 513, end: 70_000 }, 513, 70_001],
                  [{ length: 0 }, 0, 0],
                  [{ start: SIZE - 1 }, SIZE - 1, SIZE],
                  [{ start: SIZE }, SIZE, SIZE],
                  [{ start: SIZE + 10_000 }, SIZE, SIZE],
                  [{ start: 299_000, length: 99_999 }, 299_000, SIZE],
                ] as const
              ) {
                const bytes = await collect(file.readable({ ...range, blockSize, depth, lend }));
                assert.ok(
                  Buffer.from(bytes).equals(content.subarray(from, to)),
                  JSON.stringify(range),
                );
              }
            }
          }
        }
      }));

    it("gives copies to whoever does not borrow, and empties what was lent", () =>
      withContent(async (file) => {
        const kept: Uint8Array[] = [];
        for await (const chunk of file.readable({ blockSize: 4096 })) kept.push(chunk);
        assert.ok(Buffer.concat(kept).equals(content));
        const lent: Uint8Array[] = [];
        for await (const chunk of file.readable({ blockSize: 4096, lend: true })) {
          assert.ok(lent.every(({ length }) => length === 0));
          assert.ok(chunk.length > 0);
          lent.push(chunk);
        }
        assert.ok(lent.every(({ length }) => length === 0));
      }));

    it("is a web stream: a Response, and a reader with memory of its own", () =>
      withContent(async (file) => {
        const body = await new Response(file.readable({ start: 5 })).arrayBuffer();
        assert.ok(Buffer.from(body).equals(content.subarray(5)));
        const reader = file.readable({ blockSize: 4096 }).getReader({ mode: "byob" });
        const all: Uint8Array[] = [];
        for (;;) {
          const { done, value } = await reader.read(new Uint8Array(1000));
          if (value !== undefined) all.push(value.slice());
          if (done) break;
        }
        assert.ok(Buffer.concat(all).equals(content));
      }));

    it("ends when the iteration does, and when the stream is cancelled", () =>
      withContent(async (file) => {
        const stream = file.readable({ blockSize: 512, depth: 32 });
        for await (const chunk of stream) {
          assert.equal(chunk.length, 512);
          assert.throws(() => stream.getReader(), TypeError);
          break;
        }
        const second = file.readable({ blockSize: 512 });
        const reader = second.getReader();
        await reader.read();
        await reader.cancel();
        await file.readable().cancel();
        assert.equal(await file.read(new Uint8Array(3), 0), 3);
      }));

    it("fails by its signal, and when the file is closed", () =>
      withContent(async (file, path) => {
        const controller = new AbortController();
        const taken: number[] = [];
        await assert.rejects(async () => {
          const { signal } = controller;
          for await (const chunk of file.readable({ blockSize: 4096, signal })) {
            taken.push(chunk.length);
            if (taken.length === 3) controller.abort("enough");
          }
        }, { name: "AbortError", bytesMoved: 3 * 4096, cause: "enough" });
        assert.equal(taken.length, 3);
        const other = await DirectFile.open(path);
        await assert.rejects(async () => {
          for await (const _ of other.readable({ blockSize: 4096 })) await other.close();
        }, TypeError);
      }));

    it("ends early when the file is cut off meanwhile", () =>
      withContent(async (file, path) => {
        let bytes = 0;
        for await (const chunk of file.readable({ blockSize: 4096, depth: 2 })) {
          bytes += chunk.length;
          if (bytes === 4096) truncateSync(path, 100_001);
        }
        assert.equal(bytes, 100_001);
      }));

    it("writes chunks of any size to any place", () =>
      withDirect("", async (file, path) => {
        for (const start of [0, 1, 512, 4000, 4096]) {
          for (const [blockSize, depth] of [[512, 1], [4096, 4], [65_536, 8]] as const) {
            for (const size of [1000, 4096, 100_000]) {
              await file.truncate(0);
              await file.write(bytesFrom(1, start), 0);
              const sink = file.writable({
                start: start % 2 === 0 ? start : "end",
                blockSize,
                depth,
              });
              const writer = sink.getWriter();
              for (let at = 0; at < SIZE; at += size) {
                await writer.ready;
                void writer.write(content.subarray(at, at + size));
              }
              await writer.close();
              assert.equal(file.size, start + SIZE);
              assert.ok(Buffer.from(plainRead(path, start, SIZE)).equals(content));
              assert.deepEqual(plainRead(path, 0, start), bytesFrom(1, start));
            }
          }
        }
      }));

    it("is piped to and from", () =>
      withContent((source) =>
        withDirect("", async (target, path) => {
          await source.readable({ blockSize: 4096 }).pipeTo(target.writable({ blockSize: 8192 }));
          assert.ok(Buffer.from(plainRead(path, 0, SIZE + 1)).equals(content));
        })
      ));

    it("writes nothing more once it is aborted, and refuses what is no bytes", () =>
      withDirect("", async (file) => {
        const writer = file.writable({ blockSize: 512 }).getWriter();
        await writer.write(new Uint8Array(2000));
        await writer.abort("why");
        await assert.rejects(writer.write(new Uint8Array(1)));
        assert.equal(file.size % 512, 0);
        const wrong = file.writable().getWriter();
        await assert.rejects(wrong.write("text" as unknown as Uint8Array), TypeError);
        await assert.rejects(wrong.closed, TypeError);
        const controller = new AbortController();
        const stopped = file.writable({ blockSize: 512, signal: controller.signal }).getWriter();
        await stopped.write(new Uint8Array(700));
        controller.abort();
        await assert.rejects(stopped.write(new Uint8Array(700)), { name: "AbortError" });
        await assert.rejects(stopped.closed, { name: "AbortError" });
      }));
  });
}
