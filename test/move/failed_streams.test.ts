import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { broadcast, transfer } from "../../src/mod.ts";
import { withFileAsync } from "../_kit/temp.ts";

/** Streams without a listener for errors: an event would be an uncaught exception. */
const STREAMS: Record<string, () => NodeJS.WritableStream> = {
  "has ended": () => new PassThrough().end(),
  "refuses a write at once": () => new Writable({ write: (_, __, done) => done(new Error("no")) }),
  "refuses a write later": () =>
    new Writable({ write: (_, __, done) => void setTimeout(done, 10, new Error("no")) }),
  "is destroyed meanwhile": () => {
    const stream = new Writable({ write() {} });
    setTimeout(() => stream.destroy(), 10);
    return stream;
  },
};

describe("a stream that takes no bytes fails the call, and not the process", () => {
  for (const [name, make] of Object.entries(STREAMS)) {
    it(`${name}: transfer()`, () =>
      withFileAsync("text", async (_, path) => {
        await assert.rejects(transfer(path, make()), { code: "EPIPE", bytesMoved: 0 });
        await sleep(20);
      }));

    it(`${name}: broadcast()`, () =>
      withFileAsync("text", async (_, path) => {
        const { targets: [report] } = await broadcast(path, [make()]);
        assert.equal((report!.error as { code?: string }).code, "EPIPE");
        await sleep(20);
      }));
  }
});
