/** DirectFile without foreign functions: it works, by the runtime's own calls, and says so. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { AlignedBuffer, DirectFile, UnsupportedError } from "../../src/mod.ts";
import { bytesFrom, withPath } from "../memory/direct/_direct.ts";

describe("DirectFile without foreign functions", () => {
  it("copies through the runtime, and says so", () =>
    withPath(bytesFrom(1, 100_000), async (path) => {
      const file = await DirectFile.open(path, { access: "write" });
      try {
        assert.deepEqual([file.mode, file.engine, file.size], ["copy", "runtime", 100_000]);
        const target = new Uint8Array(1000);
        assert.equal(await file.read(target, 99_500), 500);
        assert.deepEqual(target.subarray(0, 500), bytesFrom(1, 100_000).subarray(99_500));
        assert.equal(await file.write(bytesFrom(7, 777), 99_999), 777);
        assert.equal(await file.append(bytesFrom(2, 3)), 100_776);
        await file.sync();
        await file.truncate(100_000);
        file.dropCache();
        assert.equal(readFileSync(path).length, 100_000);
        for (const lend of [false, true]) {
          let bytes = 0;
          for await (const chunk of file.readable({ start: 5, blockSize: 4096, lend })) {
            assert.equal(chunk[0], readFileSync(path)[5 + bytes]);
            bytes += chunk.length;
          }
          assert.equal(bytes, 99_995);
        }
        const writer = file.writable({ start: "end", blockSize: 512 }).getWriter();
        await writer.write(bytesFrom(0, 5000));
        await writer.close();
        assert.deepEqual(new Uint8Array(readFileSync(path).subarray(100_000)), bytesFrom(0, 5000));
      } finally {
        await file.close();
      }
    }));

  it("fails as it does elsewhere", () =>
    withPath("abc", async (path) => {
      await assert.rejects(DirectFile.open(`${path}-not`), {
        name: "SyscallError",
        code: "ENOENT",
        syscall: "open",
      });
      await assert.rejects(DirectFile.open(dirname(path)), { code: "EISDIR" });
      for (const mode of ["direct", "buffered"] as const) {
        await assert.rejects(DirectFile.open(path, { mode }), UnsupportedError);
      }
      const file = await DirectFile.open(path);
      await assert.rejects(file.write(new Uint8Array(1), 0), TypeError);
      await file.close();
      await assert.rejects(file.read(new Uint8Array(1), 0), TypeError);
    }));

  it("has no aligned memory", () => {
    assert.throws(() => AlignedBuffer.allocate(4096), UnsupportedError);
  });
});
