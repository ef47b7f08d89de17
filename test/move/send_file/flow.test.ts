import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { closeSync, openSync, writeSync } from "node:fs";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { AbortError } from "../../../src/errors.ts";
import { sendFile } from "../../../src/move/send_file/send_file.ts";
import type { SendResult, SendTarget } from "../../../src/move/send_file/types.ts";
import type { Progress } from "../../../src/options.ts";
import { Folder, noise, type Reader } from "../../_kit/bytes.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { RUNTIME, type Target, target, TARGETS, withPair } from "../../_kit/targets.ts";

const MIB = 1024 * 1024;

/** Of a copy, the runtime may still send the chunk that it has not confirmed yet. */
const IN_FLIGHT = 256 * 1024;

/** Of its own writes, too: about one in twenty under load. */
const DENO_FORGETS = "Deno may never close an encrypted connection destroyed with writes pending";

const folder = new Folder();
const content = noise(20 * MIB);
const path = folder.file(content);
const small = content.subarray(0, 5000);
const smallPath = folder.file(small);
after(() => folder.remove());

/** Waits until the transfer has moved something. */
function started(): { onProgress: (progress: Progress) => void; moved: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { onProgress: () => resolve(), moved: promise };
}

/** Aborts while the peer has stopped reading. */
async function abortMidway(
  target: SendTarget,
  reader: Reader,
): Promise<{ signal: AbortSignal; error: AbortError }> {
  reader.stream.pause();
  const controller = new AbortController();
  const { signal } = controller;
  const { onProgress, moved } = started();
  const sending = sendFile(target, path, { signal, onProgress });
  await moved;
  await sleep(20);
  controller.abort();
  const error = await sending.then(() => assert.fail("resolved"), (error) => error as AbortError);
  return { signal, error };
}

for (const row of TARGETS) {
  const { skip, method } = row;
  const warmUp = () => withPair(row, ({ target }) => sendFile(target, smallPath));
  describeWithoutLeaks(`signal, progress and rate on: ${row.name}`, { skip, warmUp }, () => {
    it("does nothing when the signal has fired before", { skip }, async () => {
      await withPair(row, async ({ target, reader, end }) => {
        const reason = new Error("enough");
        const signal = AbortSignal.abort(reason);
        await assert.rejects(sendFile(target, path, { signal }), (error: AbortError) => {
          assert.ok(error instanceof AbortError);
          assert.deepEqual([error.name, error.code], ["AbortError", "ABORT_ERR"]);
          assert.equal(error.cause, reason);
          assert.equal(error.bytesMoved, 0);
          return true;
        });
        await sendFile(target, smallPath);
        end();
        await reader.closed;
        await reader.expect(small);
      });
    });

    it("stops in the middle", { skip }, async () => {
      await withPair(row, async ({ target, reader }) => {
        const { signal, error } = await abortMidway(target, reader);
        assert.ok(error instanceof AbortError, String(error));
        assert.ok(error.bytesMoved > 0 && error.bytesMoved < content.length);
        assert.equal(getEventListeners(signal, "abort").length, 0);
      });
    });

    const open = row.kind === "descriptor" && "a borrowed descriptor stays open";
    const forgotten = RUNTIME === "deno" && /https|tls\./.test(row.name) && DENO_FORGETS;
    it("cuts the connection then", { skip: skip || open || forgotten }, async () => {
      await withPair(row, async ({ target, reader }) => {
        const { error } = await abortMidway(target, reader);
        reader.stream.resume();
        const end = await reader.closed;
        if (row.kind === "response") assert.equal(end, "cut");
        const { length } = reader;
        const reported = error.bytesMoved + (method === "copy" ? IN_FLIGHT : 0);
        assert.ok(length <= reported, `${length} received, ${error.bytesMoved} reported`);
        assert.ok(reader.bytes().equals(content.subarray(0, length)));
      });
    });

    it("lets go of the signal at the end", { skip }, async () => {
      await withPair(row, async ({ target, reader, end }) => {
        const controller = new AbortController();
        await sendFile(target, smallPath, { signal: controller.signal });
        assert.equal(getEventListeners(controller.signal, "abort").length, 0);
        controller.abort();
        end();
        await reader.closed;
        await reader.expect(small);
      });
    });

    it("reports progress, at most every 100 ms and at the end", { skip }, async () => {
      await withPair(row, async ({ target, reader }) => {
        const reports: (Progress & { at: number })[] = [];
        await sendFile(target, path, {
          length: 1 * MIB,
          // Several reports' worth of time.
          maxRate: 3 * MIB,
          onProgress: (progress) => reports.push({ ...progress, at: performance.now() }),
        });
        await reader.take(1 * MIB);
        const last = reports.at(-1)!;
        assert.deepEqual([last.bytes, last.total, last.method], [MIB, MIB, method]);
        assert.ok(reports.length >= 2);
        reports.reduce((previous, next) => {
          assert.ok(next.bytes > previous.bytes, "bytes grow");
          // A timer may come a little early; the last one comes whenever it is over.
          if (next !== last) assert.ok(next.at - previous.at >= 95, `${next.at - previous.at} ms`);
          return next;
        });
      });
    });

    it("sends in small calls", { skip }, async () => {
      await withPair(row, async ({ target, reader, end }) => {
        const result = await sendFile(target, path, { length: 300_001, chunkSize: 4096 });
        assert.equal(result.method, row.methodFor(result.bytes));
        end();
        await reader.closed;
        await reader.expect(content.subarray(0, 300_001));
      });
    });
  });
}

describe("sendFile() with maxRate", () => {
  it("takes about half a second for 2 MB at 4 MB/s, on every target at once", async () => {
    const rows = TARGETS.filter(({ skip }) => !skip);
    const measure = (row: Target): Promise<SendResult> =>
      withPair(row, async ({ target, reader }) => {
        const result = await sendFile(target, path, { length: 2e6, maxRate: 4e6 });
        await reader.expect(content.subarray(0, 2e6), row.name);
        return result;
      });
    const results = await Promise.all(rows.map(measure));
    results.forEach(({ durationMs }, i) => {
      // The first tenth of a second is free.
      assert.ok(durationMs > 350 && durationMs < 5000, `${rows[i]!.name}: ${durationMs} ms`);
    });
  });
});

describe("sendFile() with a callback that throws", () => {
  for (const name of ["accepted net.Socket", "tls.TLSSocket", "response of node:http"]) {
    it(`rejects with what onProgress throws on: ${name}`, async () => {
      await withPair(target(name), async ({ target }) => {
        const failure = new Error("from the callback");
        const onProgress = () => {
          throw failure;
        };
        await assert.rejects(sendFile(target, path, { onProgress }), (e) => e === failure);
      });
    });
  }
});

describe("page stability", () => {
  for (const row of TARGETS.filter(({ kind }) => kind !== "descriptor")) {
    it(`copies on demand on: ${row.name}`, { skip: row.skip }, async () => {
      await withPair(row, async ({ target, reader, end }) => {
        const result = await sendFile(target, smallPath, { stability: "copy" });
        assert.deepEqual([result.bytes, result.method], [small.length, "copy"]);
        end();
        await reader.closed;
        await reader.expect(small);
      });
    });
  }

  it("shows the peer what is written over a file while it is on its way", async () => {
    const received: Record<string, number> = {};
    for (const stability of ["shared", "copy"] as const) {
      await withPair(target("accepted net.Socket"), async ({ target, reader }) => {
        const path = folder.file(Buffer.alloc(64 * 1024, "a"));
        reader.stream.pause();
        await sendFile(target, path, { stability });
        const fd = openSync(path, "r+");
        writeSync(fd, Buffer.alloc(64 * 1024, "b"));
        closeSync(fd);
        reader.stream.resume();
        const bytes = await reader.take(64 * 1024);
        received[stability] = bytes.filter((byte) => byte === 0x62).length;
      });
    }
    // How much of it depends on what the peer's runtime has read by then.
    assert.equal(received["copy"], 0);
    assert.ok(received["shared"]! >= 0);
  });
});
