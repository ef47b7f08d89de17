/**
 * Truncates a mapped file under those who use it, in the way that the argument names. The last thing
 * that it prints is "alive".
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash, pbkdf2Sync } from "node:crypto";
import { ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { gunzipSync, gzip, gzipSync } from "node:zlib";
import { capabilities, MappedFile, type TruncatedError } from "../../../src/mod.ts";

const MIB = 2 ** 20;
const PAGE = 4096;
const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const path = join(folder, "file");
const truncated = { name: "TruncatedError", code: "ERR_SLUICE_TRUNCATED" };

/** A mapped file of ones whose end is then cut off. */
function cut(access: "read" | "write" | "copy-on-write", size = 4 * MIB, left = PAGE): MappedFile {
  writeFileSync(path, new Uint8Array(size).fill(1));
  const map = MappedFile.open(path, { access });
  void map.bytes;
  const fd = openSync(path, "r+");
  ftruncateSync(fd, left);
  return map;
}

const WAYS: Record<string, () => unknown> = {
  load() {
    const map = cut("read");
    const { bytes } = map;
    assert.equal(map.truncated, false);
    assert.deepEqual([bytes[0], bytes[PAGE], bytes[4 * MIB - 1]], [1, 0, 0]);
    assert.equal(map.truncated, true);
    for (const call of [() => map.bytes, () => map.view(0), () => map.read(0), () => map.lock()]) {
      assert.throws(call, truncated);
    }
    map.close();
    assert.equal(bytes.length, 0);
  },

  unreported() {
    const map = cut("read");
    void map.bytes[2 * MIB];
    assert.throws(() => map.close(), (error: TruncatedError) => {
      assert.deepEqual([error.bytesMoved, error.bytesExpected], [PAGE, 4 * MIB]);
      return true;
    });
    map.close();
  },

  store() {
    const map = cut("write");
    const { bytes } = map;
    bytes[2 * MIB] = 7;
    bytes[PAGE * 3 + 5] = 8;
    assert.deepEqual([bytes[2 * MIB], bytes[PAGE * 3 + 5], bytes[0]], [7, 8, 1]);
    bytes[1] = 9;
    assert.throws(() => map.flush(), truncated);
    assert.throws(() => map.close(), truncated);
    assert.equal(map.closed, true);
  },

  unnoticed() {
    // Stored before, and so without a fault: flush() looks at the size.
    writeFileSync(path, new Uint8Array(4 * MIB));
    const map = MappedFile.open(path, { access: "write" });
    map.bytes[2 * MIB] = 7;
    ftruncateSync(openSync(path, "r+"), PAGE);
    assert.throws(() => map.flush(), truncated);
    assert.throws(() => map.flush({ offset: 0, length: PAGE + 1 }), truncated);
    map.flush({ offset: 0, length: PAGE });
    map.close();
  },

  "copy-on-write"() {
    const map = cut("copy-on-write");
    map.bytes[2 * MIB] = 7;
    assert.equal(map.truncated, true);
    assert.throws(() => map.close(), truncated);
  },

  resize() {
    const map = cut("write");
    void map.bytes[2 * MIB];
    map.resize(2 * MIB);
    assert.deepEqual([map.truncated, map.bytes[0], map.bytes[2 * MIB - 1]], [false, 1, 0]);
    map.bytes[MIB] = 5;
    map.flush();
    map.close();
  },

  // Every page by itself, in an order that would make a mapping of each.
  scattered() {
    const size = 512 * MIB;
    writeFileSync(path, "");
    const fd = openSync(path, "r+");
    ftruncateSync(fd, size);
    const map = MappedFile.open(path);
    const { bytes } = map;
    ftruncateSync(fd, 0);
    const pages = size / PAGE;
    for (let i = 0; i < pages; i++) {
      assert.equal(bytes[((i * 40_503) % pages) * PAGE], 0);
    }
    assert.throws(() => map.close(), truncated);
  },

  copies() {
    const { bytes } = cut("read");
    assert.equal(Buffer.from(bytes).length, 4 * MIB);
    assert.equal(bytes.slice(MIB).indexOf(1), -1);
    assert.equal(new TextDecoder().decode(bytes.subarray(MIB, MIB + 4)), "\0\0\0\0");
    assert.equal(createHash("sha256").update(bytes).digest().length, 32);
    assert.equal(pbkdf2Sync(bytes, "salt", 1, 8, "sha256").length, 8);
    assert.equal(gunzipSync(gzipSync(bytes)).length, 4 * MIB);
    assert.equal(Buffer.compare(bytes.subarray(MIB), new Uint8Array(3 * MIB)), 0);
    const { Module } = (globalThis as unknown as {
      WebAssembly: { Module: new (bytes: Uint8Array) => unknown };
    }).WebAssembly;
    assert.throws(() => new Module(bytes.subarray(MIB)));
  },

  async pool() {
    const { bytes } = cut("read");
    const length = await new Promise((done) => gzip(bytes, (_, result) => done(result.length)));
    assert.ok(Number(length) > 0);
  },

  async kernel() {
    const map = cut("read");
    const { bytes } = map;
    const { write } = await import("node:fs");
    const fd = openSync(join(folder, "other"), "w");
    // The kernel itself raises no signal: it writes less, or reports EFAULT.
    const result = await new Promise((done) => {
      write(fd, bytes.subarray(MIB), (error, count) => done(error?.code ?? count));
    });
    assert.ok(
      result === "EFAULT" || result === 0 || process.versions["bun"] !== undefined,
      String(result),
    );
    assert.equal(map.truncated, false);
    map.close();
  },

  again() {
    for (let round = 0; round < 50; round++) {
      const map = cut("read", MIB, round * PAGE);
      const { bytes } = map;
      assert.deepEqual([bytes[MIB - 1], bytes[round * PAGE]], [0, 0]);
      if (round > 0) assert.equal(bytes[round * PAGE - 1], 1);
      assert.throws(() => map.close(), truncated);
    }
  },

  // One guard for all threads: the Worker finds the one of the main thread.
  async worker() {
    const map = cut("read");
    const answers = [0, 1, 2].map((seed) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: seed });
      return new Promise<string>((resolve, reject) => {
        worker.once("message", resolve).once("error", reject);
      }).finally(() => worker.terminate());
    });
    void map.bytes[2 * MIB];
    const states = await Promise.all(answers);
    assert.deepEqual(states, ["active", "active", "active"]);
    assert.equal(map.truncated, true);
    assert.equal(guards(), 1);
  },

  off() {
    assert.equal(capabilities().faultGuard.state, "off");
    const map = cut("read");
    assert.throws(() => map.read(2 * MIB, 1), truncated);
    assert.equal(map.read(0, 10)[0], 1);
    map.close();
    assert.equal(guards(), 0);
  },

  unguarded() {
    const map = cut("read");
    writeSync(1, "touching\n");
    void map.bytes[2 * MIB];
  },
};

function guards(): number {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  return readFileSync("/proc/self/maps", "utf8").split("sluice-fault-guard").length - 1;
}

if (isMainThread) {
  setTimeout(() => process.exit(3), 60_000).unref();
  await WAYS[process.argv[2]!]!();
  await sleep(20);
  console.log("alive");
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
} else {
  const map = cut("read", 64 * PAGE + (workerData as number) * PAGE, 0);
  assert.equal(map.bytes[PAGE], 0);
  assert.throws(() => map.close(), truncated);
  rmSync(folder, { recursive: true, force: true });
  parentPort!.postMessage(capabilities().faultGuard.state);
}
