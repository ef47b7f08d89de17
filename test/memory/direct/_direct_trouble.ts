/** DirectFile when something goes wrong, stops, or is used wrongly. @module */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { AlignedBuffer, DirectFile, UnsupportedError } from "../../../src/mod.ts";
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

const MIB = 1024 * 1024;

/** Allowed errors of an operation of this library. */
interface Failure extends Error {
  readonly code: string;
  readonly bytesMoved: number;
}

/** Threads of this process, but for those of the kernel that carry out what io_uring cannot at once. */
function threads(): string[] {
  return readdirSync("/proc/self/task").filter((id) => {
    try {
      return !readFileSync(`/proc/self/task/${id}/comm`, "utf8").startsWith("iou-");
    } catch {
      return false;
    }
  });
}

/** Lets a little or a little more time pass: microtasks, then turns of the event loop, then more. */
async function moment(index: number): Promise<void> {
  if (index < 8) {
    for (let i = 0; i < index; i++) await Promise.resolve();
  } else if (index < 14) {
    for (let i = 8; i <= index; i++) await new Promise((resolve) => setImmediate(resolve));
  } else await sleep(index - 13);
}

const MOMENTS = Array.from({ length: 18 }, (_, i) => i);

/** The tests, on one engine. */
export function troubleSuite(engine: Engine): void {
  const prepare = () => {
    choose(engine);
    // Bun keeps what the first child process needs.
    execFileSync("true");
    return warmUp();
  };
  describeWithoutLeaks(`DirectFile by ${engine}: trouble`, { warmUp: prepare }, () => {
    it("refuses arguments of the wrong kind before any call", async () => {
      const open = DirectFile.open as (path: unknown, options?: unknown) => Promise<DirectFile>;
      for (const path of [1, null, undefined, "", "a\0b", {}]) {
        await assert.rejects(open(path), TypeError);
      }
      for (
        const options of [
          { access: "both" },
          { mode: "fast" },
          { create: true },
          { truncate: true },
          { access: "write", exclusive: true },
        ]
      ) await assert.rejects(open("/dev/null", options), TypeError);
      await assert.rejects(open("/x", { permissions: -1 }), RangeError);
      await withDirect("abc", async (file) => {
        const read = file.read.bind(file) as (...args: unknown[]) => Promise<number>;
        const write = file.write.bind(file) as (...args: unknown[]) => Promise<number>;
        for (const call of [read, write]) {
          for (const bytes of [null, "abc", [1], new ArrayBuffer(8), new Uint16Array(2)]) {
            await assert.rejects(call(bytes, 0), TypeError);
          }
          for (const offset of ["0", null, undefined, 0n]) {
            await assert.rejects(call(new Uint8Array(1), offset), TypeError);
          }
          for (const offset of [-1, 0.5, NaN, Infinity, 2 ** 53, Number.MAX_SAFE_INTEGER]) {
            await assert.rejects(call(new Uint8Array(1), offset), RangeError);
          }
          await assert.rejects(call(new Uint8Array(1), 0, { signal: 1 }), TypeError);
        }
        await assert.rejects(file.truncate(-1), RangeError);
        assert.throws(() => file.dropCache(-1), RangeError);
        assert.throws(() => file.readable({ depth: 0 }), RangeError);
        assert.throws(() => file.readable({ blockSize: 1000.5 }), RangeError);
        assert.throws(() => file.readable({ blockSize: 0 }), RangeError);
        assert.throws(() => file.readable({ start: 5, end: 4 }), RangeError);
        assert.throws(() => file.readable({ length: 5, end: 4 }), TypeError);
        assert.throws(() => file.writable({ start: -1 }), RangeError);
        assert.throws(() => file.writable({ depth: 257 }), RangeError);
      });
    });

    it("says why it cannot open", () =>
      withPath("abc", async (path) => {
        const fails = (code: string, open: Promise<unknown>) =>
          assert.rejects(open, { name: "SyscallError", code, syscall: "open" });
        await fails("ENOENT", DirectFile.open(`${path}-not`));
        await fails("ENOTDIR", DirectFile.open(`${path}/x`));
        await fails("EISDIR", DirectFile.open(dirname(path)));
        await fails("EISDIR", DirectFile.open(dirname(path), { access: "write" }));
        await fails(
          "EEXIST",
          DirectFile.open(path, { access: "write", create: true, exclusive: true }),
        );
        const fifo = `${path}-fifo`;
        execFileSync("mkfifo", [fifo]);
        for (const access of ["read", "write"] as const) {
          await assert.rejects(DirectFile.open(fifo, { access }), TypeError);
        }
        await assert.rejects(DirectFile.open("/dev/null"), TypeError);
        await assert.rejects(
          DirectFile.open("/proc/self/status", { mode: "direct" }),
          (error) => error instanceof UnsupportedError && /leave out mode/.test(error.message),
        );
      }));

    it("creates, empties and opens by URL", () =>
      withPath("abc", async (path) => {
        const folder = join(dirname(path), "ä b");
        mkdirSync(folder);
        const url = pathToFileURL(join(folder, "new"));
        const options = { access: "write", create: true, permissions: 0o640 } as const;
        const file = await DirectFile.open(url, { ...options, exclusive: true });
        await file.write(bytesFrom(0, 10), 0);
        await file.close();
        assert.deepEqual(plainRead(join(folder, "new"), 0, 20), bytesFrom(0, 10));
        const again = await DirectFile.open(url, { ...options, truncate: true });
        assert.equal(again.size, 0);
        await again.close();
      }));

    it("writes nothing to a file that is open for reading", () =>
      withPath("abc", async (path) => {
        const file = await DirectFile.open(path);
        try {
          await assert.rejects(file.write(new Uint8Array(1), 0), TypeError);
          await assert.rejects(file.append(new Uint8Array(1)), TypeError);
          await assert.rejects(file.truncate(0), TypeError);
          assert.throws(() => file.writable(), TypeError);
          assert.equal(readFileSync(path, "utf8"), "abc");
        } finally {
          await file.close();
        }
      }));

    it("refuses everything once closed, and closes twice", () =>
      withPath("abc", async (path) => {
        const file = await DirectFile.open(path, { access: "write" });
        await Promise.all([file.close(), file.close()]);
        await file.close();
        assert.equal(file.closed, true);
        await assert.rejects(file.read(new Uint8Array(1), 0), TypeError);
        await assert.rejects(file.write(new Uint8Array(1), 0), TypeError);
        await assert.rejects(file.write(new Uint8Array(0), 0), TypeError);
        await assert.rejects(file.append(new Uint8Array(1)), TypeError);
        await assert.rejects(file.truncate(0), TypeError);
        await assert.rejects(file.sync(), TypeError);
        assert.throws(() => file.size, TypeError);
        assert.throws(() => file.dropCache(), TypeError);
        assert.throws(() => file.readable(), TypeError);
        assert.throws(() => file.writable(), TypeError);
      }));

    it("close() waits for everything in flight", () =>
      withPath("", async (path) => {
        const file = await DirectFile.open(path, { access: "write" });
        const writes = Array.from({ length: 100 }, (_, i) =>
          file.write(bytesFrom(i, 5000), i * 5000));
        await file.close();
        assert.deepEqual(await Promise.all(writes), new Array(100).fill(5000));
        const content = plainRead(path, 0, MIB);
        assert.equal(content.length, 500_000);
        for (let i = 0; i < 100; i++) {
          assert.deepEqual(content.subarray(i * 5000, (i + 1) * 5000), bytesFrom(i, 5000));
        }
      }));

    it("reports what is too far away for any file", () =>
      withDirect("", async (file) => {
        const offset = 2 ** 53 - 2 ** 20;
        const error = await file.write(new Uint8Array(4096), offset).then(
          () => assert.fail("wrote at 8 PiB"),
          (error: Failure) => error,
        );
        assert.equal(error.name, "SyscallError");
        assert.match(error.code, /^(EFBIG|EINVAL)$/);
        assert.equal(error.bytesMoved, 0);
        assert.equal(await file.read(new Uint8Array(4096), offset).catch(() => 0), 0);
        assert.equal(file.size, 0);
      }));

    it("does nothing when the signal was aborted before", () =>
      withDirect("abc", async (file, path) => {
        const signal = AbortSignal.abort("reason");
        for (
          const call of [
            file.read(new Uint8Array(3), 0, { signal }),
            file.write(new Uint8Array(3), 0, { signal }),
          ]
        ) {
          await assert.rejects(call, { name: "AbortError", bytesMoved: 0, cause: "reason" });
        }
        assert.equal(readFileSync(path, "utf8"), "abc");
      }));

    for (const aligned of [false, true]) {
      const kind = aligned ? "aligned" : "any";
      it(`stops a read at every moment, and leaves ${kind} memory alone from then on`, async () => {
        const content = bytesFrom(1, 3 * MIB);
        await withPath(content, async (path) => {
          const file = await DirectFile.open(path);
          try {
            const buffer = AlignedBuffer.allocate(2 * MIB);
            try {
              const filled = new Uint8Array(2 * MIB).fill(170);
              for (const index of MOMENTS) {
                const target = aligned ? buffer.bytes : new Uint8Array(2 * MIB);
                const controller = new AbortController();
                const reading = file.read(target, 512, { signal: controller.signal });
                await moment(index);
                controller.abort(index);
                const moved = await reading.catch((error: Failure) => {
                  assert.equal(error.name, "AbortError");
                  assert.equal(error.cause as number, index);
                  return error.bytesMoved;
                });
                assert.ok(
                  Buffer.from(target.slice(0, moved)).equals(content.subarray(512, 512 + moved)),
                );
                target.fill(170);
                await file.read(new Uint8Array(4096), 0);
                assert.equal(Buffer.compare(target, filled), 0, `moment ${index}`);
              }
            } finally {
              buffer.release();
            }
          } finally {
            await file.close();
          }
        });
      });
    }

    it("stops a write at every moment, and says how far it came", () =>
      withDirect("", async (file, path) => {
        for (const index of MOMENTS) {
          await file.truncate(0);
          const source = bytesFrom(index, 2 * MIB + 100);
          const controller = new AbortController();
          const writing = file.write(source, 700, { signal: controller.signal });
          await moment(index);
          controller.abort();
          const moved = await writing.catch((error: Failure) => {
            assert.equal(error.name, "AbortError");
            return error.bytesMoved;
          });
          const written = plainRead(path, 700, moved);
          assert.ok(Buffer.from(written).equals(source.subarray(0, moved)));
          assert.ok(file.size === 0 || file.size === 700 + moved, `${file.size}, ${moved}`);
        }
      }));

    it("stops those that wait for their turn", () =>
      withPath(bytesFrom(0, 4 * MIB), async (path) => {
        const file = await DirectFile.open(path);
        try {
          const controller = new AbortController();
          const buffer = AlignedBuffer.allocate(4 * MIB);
          try {
            const reads = Array.from(
              { length: 1000 },
              (_, i) =>
                file.read(buffer.bytes.subarray(i * 4096, i * 4096 + 4096), i * 4096, {
                  signal: controller.signal,
                }).catch((error: Failure) => error.name),
            );
            await Promise.resolve();
            controller.abort();
            const results = await Promise.all(reads);
            assert.ok(results.every((each) => each === 4096 || each === "AbortError"));
            assert.ok(results.includes("AbortError"));
            assert.equal(await file.read(new Uint8Array(10), 0), 10);
          } finally {
            buffer.release();
          }
        } finally {
          await file.close();
        }
      }));

    it("gives memory to nobody else while it is being read into", () =>
      withPath(bytesFrom(0, MIB), async (path) => {
        const file = await DirectFile.open(path);
        try {
          const filled = new Uint8Array(65_536).fill(99);
          for (let i = 0; i < 20; i++) {
            const buffer = AlignedBuffer.allocate(65_536);
            const reading = file.read(buffer.bytes, 65_536);
            await moment(i % 10);
            buffer.release();
            const others = Array.from({ length: 16 }, () => AlignedBuffer.allocate(65_536));
            for (const { bytes } of others) bytes.fill(99);
            assert.equal(await reading, 65_536);
            for (const { bytes } of others) assert.equal(Buffer.compare(bytes, filled), 0);
            others.forEach((other) => other.release());
          }
        } finally {
          await file.close();
        }
      }));

    it("rejects when the target or the source was taken away meanwhile", () =>
      withDirect(bytesFrom(0, MIB), async (file) => {
        const target = new Uint8Array(MIB);
        const reading = file.read(target, 0);
        target.buffer.transfer();
        await assert.rejects(reading, TypeError);
        const source = new Uint8Array(2 * MIB);
        const writing = file.write(source, 0);
        source.buffer.transfer();
        await assert.rejects(writing, TypeError);
        assert.equal(await file.read(new Uint8Array(10), 0), 10);
      }));

    it("syncs what was written before", () =>
      withDirect("", async (file, path) => {
        void file.write(bytesFrom(3, 100_000), 0);
        await file.sync();
        assert.deepEqual(plainRead(path, 0, 100_000), bytesFrom(3, 100_000));
        await file.sync({ dataOnly: true });
      }));

    it("keeps no more memory after many operations than after some", () =>
      withDirect("", async (file) => {
        const work = async (rounds: number) => {
          for (let i = 0; i < rounds; i++) {
            const buffer = AlignedBuffer.allocate(10_000);
            try {
              await Promise.all([
                file.write(bytesFrom(i, 3000), i),
                file.read(buffer.bytes, 1),
                file.read(new Uint8Array(5000), i),
              ]);
            } finally {
              buffer.release();
            }
          }
        };
        await work(20);
        const { reserved } = AlignedBuffer;
        await work(150);
        assert.equal(AlignedBuffer.reserved, reserved);
      }));

    it("needs no thread", {
      skip: engine === "threads" && "this engine consists of threads",
    }, () =>
      withPath(bytesFrom(0, MIB), async (path) => {
        const file = await DirectFile.open(path);
        try {
          const before = threads().length;
          await Promise.all(
            Array.from({ length: 300 }, (_, i) => file.read(new Uint8Array(3000), i * 3000)),
          );
          assert.ok(threads().length <= before, "a thread was started");
        } finally {
          await file.close();
        }
      }));
  });
}
