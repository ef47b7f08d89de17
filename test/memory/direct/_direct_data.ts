/** DirectFile against the plain file system: the same bytes at every place, in any order. @module */

import assert from "node:assert/strict";
import { readFileSync, statSync, truncateSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AlignedBuffer, DirectFile } from "../../../src/mod.ts";
import { bytesFrom, choose, type Engine, plainRead, withDirect, withPath } from "./_direct.ts";

/** On both sides of a sector and of a page. */
const EDGES = [0, 1, 511, 512, 513, 4095, 4096, 4097];

/** A file in memory. */
class Model {
  bytes: Uint8Array = new Uint8Array(0);

  write(source: Uint8Array, offset: number): void {
    if (source.length === 0) return;
    this.truncate(Math.max(this.bytes.length, offset + source.length));
    this.bytes.set(source, offset);
  }

  truncate(length: number): void {
    const next = new Uint8Array(length);
    next.set(this.bytes.subarray(0, length));
    this.bytes = next;
  }
}

/** The tests, on one engine. */
export function dataSuite(engine: Engine): void {
  describe(`DirectFile by ${engine}: data`, () => {
    it("says what it uses", () => {
      choose(engine);
      return withDirect("x", (file) => {
        assert.equal(file.engine, engine);
        assert.match(file.mode, /^(direct|buffered)$/);
        const { memory, offset } = file.alignment;
        for (const each of [memory, offset]) assert.ok(Number.isInteger(Math.log2(each)));
        assert.equal(file.size, 1);
        return Promise.resolve();
      });
    });

    it("reads every offset and length around sectors and pages", async () => {
      const content = bytesFrom(3, 3 * 4096 + 700);
      await withPath(content, async (path) => {
        const file = await DirectFile.open(path);
        const buffer = AlignedBuffer.allocate(16384);
        try {
          for (const offset of [...EDGES, 8192, content.length - 1, content.length, 20_000]) {
            for (const length of EDGES) {
              const expected = content.subarray(offset, offset + length);
              for (
                const target of [
                  new Uint8Array(length),
                  buffer.bytes.subarray(0, length),
                  buffer.bytes.subarray(1, 1 + length),
                  buffer.bytes.subarray(512, 512 + length),
                ]
              ) {
                target.fill(255);
                assert.equal(await file.read(target, offset), expected.length);
                assert.deepEqual(target.subarray(0, expected.length), expected);
                assert.ok(target.subarray(expected.length).every((b) => b === 255), "untouched");
              }
            }
          }
          await file.close();
        } finally {
          buffer.release();
        }
      });
    });

    for (const size of [0, 1, 512, 700, 4096, 9000]) {
      it(`writes every offset and length into a file of ${size} bytes`, () =>
        withDirect("", async (file, path) => {
          const buffer = AlignedBuffer.allocate(16384);
          try {
            for (const offset of EDGES) {
              for (const length of EDGES) {
                const model = new Model();
                model.write(bytesFrom(9, size), 0);
                truncateSync(path, 0);
                await file.write(model.bytes, 0);
                const source = length % 2 === 0
                  ? bytesFrom(offset, length)
                  : buffer.bytes.subarray(0, length);
                source.set(bytesFrom(offset, length));
                assert.equal(await file.write(source, offset), length);
                model.write(source, offset);
                assert.equal(file.size, model.bytes.length, `${offset}, ${length}`);
                assert.deepEqual(new Uint8Array(readFileSync(path)), model.bytes);
              }
            }
          } finally {
            buffer.release();
          }
        }));
    }

    for (const base of [2 ** 31, 2 ** 32, 2 ** 40]) {
      it(`reads and writes on both sides of ${base}`, () =>
        withDirect("", async (file, path) => {
          for (const before of EDGES) {
            for (const length of [1, 512, 4097]) {
              const offset = base - before;
              const source = bytesFrom(before, length);
              assert.equal(await file.write(source, offset), length);
              assert.deepEqual(plainRead(path, offset, length), source);
              const target = new Uint8Array(length);
              assert.equal(await file.read(target, offset), length);
              assert.deepEqual(target, source);
            }
          }
          assert.equal(statSync(path).size, file.size);
          assert.ok(statSync(path).blocks * 512 < 1024 * 1024, "the rest is a hole");
        }));
    }

    it("does what a plain file does, whatever is asked of it", async () => {
      const place = fc.oneof(fc.constantFrom(...EDGES), fc.nat(20_000));
      const step = fc.record({
        what: fc.constantFrom("write", "write", "append", "truncate", "read"),
        offset: place,
        length: place,
        aligned: fc.boolean(),
      });
      await withDirect("", async (file, path) => {
        const buffer = AlignedBuffer.allocate(32_768);
        try {
          await fc.assert(
            fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
              const model = new Model();
              await file.truncate(0);
              for (const { what, offset, length, aligned } of steps) {
                const memory = aligned ? buffer.bytes.subarray(0, length) : new Uint8Array(length);
                memory.set(bytesFrom(offset, length));
                if (what === "write") {
                  model.write(memory, offset);
                  assert.equal(await file.write(memory, offset), length);
                } else if (what === "append") {
                  const end = model.bytes.length;
                  model.write(memory, end);
                  assert.equal(await file.append(memory), end);
                } else if (what === "truncate") {
                  model.truncate(offset);
                  await file.truncate(offset);
                } else {
                  const expected = model.bytes.slice(offset, offset + length);
                  assert.equal(await file.read(memory, offset), expected.length);
                  assert.deepEqual(memory.slice(0, expected.length), expected);
                }
                assert.equal(file.size, model.bytes.length);
              }
              assert.deepEqual(new Uint8Array(readFileSync(path)), model.bytes);
            }),
            { numRuns: 40 },
          );
        } finally {
          buffer.release();
        }
      });
    });

    it("keeps neighbours apart that write into the same block at once", () =>
      withDirect("", async (file, path) => {
        for (const size of [1, 100, 511, 513, 1000]) {
          await file.truncate(0);
          const order = Array.from({ length: 100 }, (_, i) => i).sort((a, b) =>
            a * 37 % 101 - b * 37 % 101
          );
          await Promise.all(order.map((i) => file.write(bytesFrom(i, size), i * size)));
          const content = new Uint8Array(readFileSync(path));
          assert.equal(content.length, 100 * size);
          for (let i = 0; i < 100; i++) {
            assert.deepEqual(content.subarray(i * size, (i + 1) * size), bytesFrom(i, size));
          }
        }
      }));

    it("loses nothing when aligned writes and tails grow the file at once", () =>
      withDirect("", async (file, path) => {
        const tail = file.write(bytesFrom(1, 100), 4096);
        const behind = file.write(bytesFrom(2, 8192), 65_536);
        const before = file.write(bytesFrom(3, 4096), 0);
        await Promise.all([tail, behind, before]);
        const content = new Uint8Array(readFileSync(path));
        assert.equal(content.length, 65_536 + 8192);
        assert.deepEqual(content.subarray(0, 4096), bytesFrom(3, 4096));
        assert.deepEqual(content.subarray(4096, 4196), bytesFrom(1, 100));
        assert.ok(content.subarray(4196, 65_536).every((byte) => byte === 0));
        assert.deepEqual(content.subarray(65_536), bytesFrom(2, 8192));
      }));

    it("shows no reader a file that is too long while a tail is written", () =>
      withDirect("", async (file) => {
        const target = new Uint8Array(4096);
        for (let i = 0; i < 30; i++) {
          await file.truncate(0);
          const writing = file.write(bytesFrom(i, 100), 0);
          const counts = await Promise.all([file.read(target, 0), writing, file.read(target, 0)]);
          assert.deepEqual(counts, [100, 100, 100]);
        }
      }));

    it("appends in the order of the calls", () =>
      withDirect("abc", async (file, path) => {
        const places = await Promise.all(
          Array.from({ length: 50 }, (_, i) => file.append(new Uint8Array(i).fill(i))),
        );
        let end = 3;
        places.forEach((place, i) => {
          assert.equal(place, end);
          assert.ok(plainRead(path, place, i).every((byte) => byte === i));
          end += i;
        });
        assert.equal(file.size, end);
      }));

    it("runs 100 reads at once, each into its own place", async () => {
      const content = bytesFrom(5, 1_000_003);
      await withPath(content, async (path) => {
        const file = await DirectFile.open(path);
        try {
          const offsets = Array.from({ length: 400 }, (_, i) => i * 2477 % 999_000);
          const results = await Promise.all(offsets.map(async (offset, i) => {
            const target = new Uint8Array(1 + i * 3);
            assert.equal(await file.read(target, offset), target.length);
            return target;
          }));
          results.forEach((target, i) =>
            assert.deepEqual(target, content.slice(offsets[i]!, offsets[i]! + target.length))
          );
        } finally {
          await file.close();
        }
      });
    });

    it("reads and writes many MiB in one call", () =>
      withDirect("", async (file) => {
        const source = new Uint8Array(9 * 1024 * 1024 + 77).map((_, i) => i % 253);
        assert.equal(await file.write(source, 33), source.length);
        const target = new Uint8Array(source.length + 1000);
        assert.equal(await file.read(target, 33), source.length);
        assert.ok(Buffer.from(target.buffer, 0, source.length).equals(source));
        const large = AlignedBuffer.allocate(8 * 1024 * 1024);
        try {
          assert.equal(await file.read(large.bytes, 512), large.bytes.length);
          const same = source.subarray(512 - 33, 512 - 33 + large.bytes.length);
          assert.ok(Buffer.from(same).equals(large.bytes));
        } finally {
          large.release();
        }
      }));

    it("sees what others write, and they see what it writes", () =>
      withDirect(bytesFrom(0, 8192), async (file, path) => {
        const before = plainRead(path, 0, 8192);
        await file.write(bytesFrom(9, 4096), 4096);
        assert.deepEqual(plainRead(path, 4096, 4096), bytesFrom(9, 4096));
        assert.deepEqual(plainRead(path, 0, 4096), before.slice(0, 4096));
        truncateSync(path, 5000);
        const target = new Uint8Array(8192);
        assert.equal(await file.read(target, 0), 5000);
      }));

    it("goes through the page cache where it is told to", () =>
      withPath(bytesFrom(1, 100_000), async (path) => {
        const file = await DirectFile.open(path, { access: "write", mode: "buffered" });
        try {
          assert.equal(file.mode, "buffered");
          assert.deepEqual(file.alignment, { memory: 1, offset: 1 });
          const target = new Uint8Array(777);
          assert.equal(await file.read(target, 12_345), 777);
          assert.deepEqual(target, bytesFrom(1 + 12_345, 777));
          assert.equal(await file.write(bytesFrom(4, 333), 99_999), 333);
          await file.sync();
          assert.deepEqual(plainRead(path, 99_999, 333), bytesFrom(4, 333));
        } finally {
          await file.close();
        }
      }));

    it("reads what has no direct I/O through the page cache, and says so", async () => {
      const file = await DirectFile.open("/proc/self/status");
      try {
        assert.equal(file.mode, "buffered");
        const target = new Uint8Array(65_536);
        const count = await file.read(target, 0);
        assert.match(new TextDecoder().decode(target.subarray(0, count)), /^Name:/);
      } finally {
        await file.close();
      }
    });
  });
}
