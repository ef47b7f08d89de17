import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { after, describe, it } from "node:test";
import { broadcast, UnsupportedError } from "../../src/mod.ts";
import { Folder, noise, sha256 } from "../_kit/bytes.ts";
import { peers, streamOf } from "../move/_broadcast.ts";

const folder = new Folder();
after(() => folder.remove());
const BYTES = noise(1_000_001);

describe("broadcast() without foreign functions", () => {
  for (const kind of ["file", "stream"] as const) {
    it(`copies a ${kind} to connections and files, and says so`, async () => {
      const { all, close } = await peers(2);
      all.forEach((peer) => peer.read());
      const path = folder.file("");
      const fd = openSync(path, "r+");
      const source = kind === "file" ? folder.file(BYTES) : streamOf(BYTES);
      const result = await broadcast(source, [...all.map(({ target }) => target), fd]);
      assert.deepEqual([result.bytes, result.method], [BYTES.length, "copy"]);
      for (const { bytes, method, error } of result.targets) {
        assert.deepEqual([bytes, method, error], [BYTES.length, "copy", undefined]);
      }
      for (const peer of all) await peer.read().expect(BYTES);
      assert.equal(sha256(readFileSync(path)), sha256(BYTES));
      closeSync(fd);
      await close();
    });
  }

  it("refuses what only a descriptor could do", async () => {
    const { targets: [report] } = await broadcast(streamOf(BYTES), [1_000_000]);
    assert.equal(report!.outcome, "failed");
    assert.ok(report!.error instanceof Error);
    assert.equal(typeof UnsupportedError, "function");
  });
});
