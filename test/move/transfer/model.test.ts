import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { copyFile, Pipe, transfer, type TransferOptions } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { Folder, noise } from "../../_kit/bytes.ts";
import { inScope, type Scope } from "../../_kit/fds.ts";

const folder = new Folder();
after(() => folder.remove());

const RUNS = 60;
const MOST = 300_000;

const range = fc.record({
  size: fc.oneof(fc.nat(10_000), fc.nat(MOST)),
  start: fc.nat(MOST),
  length: fc.option(fc.nat(MOST), { nil: undefined }),
  chunkSize: fc.option(fc.integer({ min: 4096, max: 200_000 }), { nil: undefined }),
  targetOffset: fc.nat(100_000),
  seed: fc.nat(255),
});

/** The bytes that a transfer of this range must move. */
function expected(bytes: Buffer, start: number, length = Infinity): Buffer {
  return bytes.subarray(start, Math.min(bytes.length, start + length));
}

describe("transfer(), against a model", () => {
  it("moves the same bytes from file to file by every method", async () => {
    await fc.assert(
      fc.asyncProperty(
        range,
        fc.constantFrom("auto", "range", "splice", "copy"),
        (values, method) =>
          inScope(async (scope) => {
            const { size, length, chunkSize, targetOffset, seed } = values;
            const start = Math.min(values.start, size);
            const bytes = noise(size, seed);
            const path = folder.file(noise(50_000, 255));
            const model = Buffer.concat([noise(50_000, 255)]);
            const target = scope.open(path, sys.OpenFlag.RDWR);
            const options = { method, start, length, chunkSize, targetOffset } as TransferOptions;
            const moved = expected(bytes, start, length);
            const report = await transfer(folder.file(bytes), target, options);
            assert.equal(report.bytes, moved.length);
            const whole = Buffer.alloc(Math.max(model.length, targetOffset + moved.length));
            model.copy(whole);
            moved.copy(whole, targetOffset);
            const wanted = moved.length === 0 ? model : whole;
            assert.ok(readFileSync(path).equals(wanted));
          }),
      ),
      { numRuns: RUNS },
    );
  });

  it("moves the same bytes through pipes and sockets of any capacity", async () => {
    await fc.assert(
      fc.asyncProperty(
        range,
        fc.integer({ min: 4096, max: 200_000 }),
        fc.boolean(),
        fc.constantFrom<TransferOptions["method"]>("auto", "splice", "copy"),
        (values, capacity, socket, method) =>
          inScope(async (scope) => {
            const { size, length, chunkSize, seed } = values;
            const start = Math.min(values.start, size);
            const bytes = noise(size, seed);
            const pipe = new Pipe({ capacity });
            try {
              const [a, b] = socket ? scope.unix() : pipeToEnd(scope);
              const target = scope.open(folder.file(""), sys.OpenFlag.RDWR);
              const options = { chunkSize, method };
              const reports = await Promise.all([
                transfer(folder.file(bytes), pipe.writeFd, { ...options, start, length })
                  .finally(() => pipe.closeWrite()),
                transfer(pipe.readFd, a, options).finally(() => end(a, socket)),
                transfer(b, target, options),
              ]);
              const moved = expected(bytes, start, length);
              for (const report of reports) assert.equal(report.bytes, moved.length);
              const got = Buffer.alloc(moved.length + 1);
              assert.equal(sys.pread(target, got, 0), moved.length);
              assert.ok(got.subarray(0, moved.length).equals(moved));
            } finally {
              pipe.close();
            }
          }),
      ),
      { numRuns: RUNS },
    );
  });

  it("copies sparse files of any shape", async () => {
    const extents = fc.array(fc.tuple(fc.nat(2_000_000), fc.integer({ min: 1, max: 9000 })), {
      maxLength: 6,
    });
    const methods = fc.constantFrom(
      "auto",
      "range",
      "sendfile",
      "splice",
      "direct",
      "mmap",
      "copy",
    );
    await fc.assert(
      fc.asyncProperty(
        extents,
        fc.nat(2_100_000),
        methods,
        (parts, size, method) =>
          inScope(async (scope) => {
            const source = folder.file("");
            const fd = scope.open(source, sys.OpenFlag.RDWR);
            parts.forEach(([at, length], seed) => void sys.pwrite(fd, noise(length, seed), at));
            sys.ftruncate(fd, size);
            const target = folder.file("old");
            await copyFile(source, target, { method: method as "auto" });
            assert.ok(readFileSync(target).equals(readFileSync(source)));
          }),
      ),
      { numRuns: RUNS },
    );
  });

  it("leaves a whole copy or none, whenever copyFile() is aborted", async () => {
    const bytes = noise(5_000_000);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.nat(300_000), fc.nat(5_000_000)),
        fc.integer({ min: 0, max: 8 }),
        fc.boolean(),
        fc.boolean(),
        async (size, delayMs, exists, atomic) => {
          const source = folder.file(bytes.subarray(0, size));
          const target = exists ? folder.file("old") : `${source}.copy`;
          const controller = new AbortController();
          // Before anything happens, in this turn of the loop, or later.
          if (delayMs === 0) queueMicrotask(() => controller.abort());
          else setTimeout(() => controller.abort(), delayMs - 1);
          const copying = copyFile(source, target, { atomic, signal: controller.signal });
          const code = await copying.then(() => undefined, (error) => error.code);
          const left = readdirSync(folder.path).filter((name) => name.endsWith(".sluice"));
          assert.deepEqual(left, []);
          if (code === undefined) {
            return assert.ok(readFileSync(target).equals(bytes.subarray(0, size)));
          }
          assert.equal(code, "ABORT_ERR");
          assert.equal(existsSync(target), exists);
          // In place it is emptied as soon as it is open.
          const kept = atomic ? ["old"] : ["old", ""];
          if (exists) assert.ok(kept.includes(readFileSync(target, "utf8")));
        },
      ),
      { numRuns: RUNS },
    );
  });

  it("ends whenever it is aborted, and what it says was moved has arrived", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 12 }),
        fc.constantFrom("file", "pipe", "socket"),
        fc.constantFrom("file", "pipe", "socket"),
        (delayMs, from, to) =>
          inScope(async (scope) => {
            const bytes = noise(3_000_000);
            const controller = new AbortController();
            const [source, feed] = sourceOf(scope, from, bytes, controller.signal);
            const [target, arrived] = targetOf(scope, to);
            setTimeout(() => controller.abort(), delayMs);
            const moved = await transfer(source, target, { signal: controller.signal }).then(
              (report) => report.bytes,
              (error) => {
                assert.equal(error.code, "ABORT_ERR", error.stack);
                return error.bytesMoved as number;
              },
            );
            await feed;
            const got = await arrived(moved);
            assert.equal(got.length, moved);
            assert.ok(got.equals(bytes.subarray(0, moved)));
          }),
      ),
      { numRuns: RUNS },
    );
  });
});

/** A pipe whose write end {@linkcode end} closes; a number is never closed twice. */
function pipeToEnd(scope: Scope): [write: number, read: number] {
  const [read, write] = sys.pipe2(sys.OpenFlag.NONBLOCK | sys.OpenFlag.CLOEXEC);
  return [write, scope.fd(read)];
}

function end(fd: number, socket: boolean): void {
  if (socket) sys.shutdown(fd, 1);
  else sys.close(fd);
}

/** A source of these bytes, and what feeds it until the signal fires. */
function sourceOf(
  scope: Scope,
  kind: string,
  bytes: Buffer,
  signal: AbortSignal,
): [number, Promise<unknown>] {
  const path = folder.file(bytes);
  if (kind === "file") return [scope.open(path), Promise.resolve()];
  const [read, write] = kind === "pipe" ? scope.pipe() : scope.unix();
  return [read, transfer(path, write, { signal }).catch(() => {})];
}

/** A target, and what has arrived there. */
function targetOf(scope: Scope, kind: string): [number, (count: number) => Promise<Buffer>] {
  if (kind === "file") {
    const path = folder.file("");
    const fd = scope.open(path, sys.OpenFlag.RDWR);
    return [fd, () => Promise.resolve(readFileSync(path))];
  }
  const [read, write] = kind === "pipe" ? scope.pipe() : scope.unix();
  const parts: Buffer[] = [];
  let length = 0;
  const take = () => {
    const buffer = Buffer.alloc(65536);
    for (let count; (count = sys.raw.read(read, buffer)) > 0; length += count) {
      parts.push(Buffer.from(buffer.subarray(0, count)));
    }
  };
  const timer = setInterval(take, 1);
  return [write, (count) => {
    take();
    clearInterval(timer);
    assert.ok(length <= count, `${length} arrived, and ${count} were moved`);
    return Promise.resolve(Buffer.concat(parts));
  }];
}
