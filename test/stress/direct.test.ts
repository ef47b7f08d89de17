import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { AlignedBuffer, DirectFile } from "../../src/mod.ts";
import { bytesFrom, withPath } from "../memory/direct/_direct.ts";
import { allocate } from "../memory/_long.ts";

const MIB = 1024 * 1024;

describe("AlignedBuffer, a million times", () => {
  const limit = { timeout: 600_000 };
  it("takes no more memory than at first", limit, () => allocate(1_000_000, 500_000));
});

describe("DirectFile, for long", () => {
  it("reads and writes at random for a minute, and stays right and small", () =>
    withPath(new Uint8Array(16 * MIB), async (path) => {
      const file = await DirectFile.open(path, { access: "write" });
      try {
        const until = Date.now() + 60_000;
        let operations = 0;
        // Each worker has a part of the file to itself, whose borders lie within blocks.
        const worker = async (index: number) => {
          const size = 500_001;
          const base = index * size;
          const model = new Uint8Array(size);
          const aligned = AlignedBuffer.allocate(65_536);
          try {
            for (let i = index; Date.now() < until; i++) {
              const length = i * 7919 % 60_000;
              const at = i * 104_729 % (size - length);
              const memory = i % 2 === 0
                ? aligned.bytes.subarray(0, length)
                : new Uint8Array(length);
              if (i % 3 === 0) {
                memory.set(bytesFrom(i, length));
                model.set(memory, at);
                assert.equal(await file.write(memory, base + at), length);
              } else {
                assert.equal(await file.read(memory, base + at), length);
                assert.ok(Buffer.from(model.buffer, at, length).equals(memory));
              }
              operations++;
            }
            return { base, model };
          } finally {
            aligned.release();
          }
        };
        const models = await Promise.all(Array.from({ length: 32 }, (_, i) => worker(i)));
        await file.sync();
        const content = readFileSync(path);
        for (const { base, model } of models) {
          assert.ok(content.subarray(base, base + model.length).equals(model));
        }
        assert.ok(operations > 1000, `${operations} operations`);
      } finally {
        await file.close();
      }
    }));
});
