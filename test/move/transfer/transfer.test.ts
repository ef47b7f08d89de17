import assert from "node:assert/strict";
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import {
  AbortError,
  Pipe,
  type SyscallError,
  transfer,
  type TransferOptions,
} from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { Folder, noise } from "../../_kit/bytes.ts";
import { CLOSED_FD, inScope, type Scope } from "../../_kit/fds.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";

const MIB = 1024 * 1024;
const folder = new Folder();
after(() => folder.remove());
let sequence = 0;
const fresh = () => join(folder.path, `target-${sequence++}`);

/** Opens a file with this content, for reading and writing. */
function fileWith(scope: Scope, bytes: Uint8Array | string): number {
  return scope.open(folder.file(bytes), sys.OpenFlag.RDWR);
}

/** Reads whatever comes, until the end. */
async function readAll(fd: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  const buffer = new Uint8Array(MIB);
  for (;;) {
    const count = sys.raw.read(fd, buffer);
    if (count === 0) return Buffer.concat(parts);
    if (count > 0) parts.push(Buffer.from(buffer.subarray(0, count)));
    else await sleep(1);
  }
}

const failing = (task: Promise<unknown>): Promise<SyscallError & { bytesHeld?: number }> =>
  task.then(() => assert.fail("it succeeded"), (error) => error);

describeWithoutLeaks("transfer()", {
  warmUp: () => inScope((scope) => transfer(fileWith(scope, noise(2 * MIB)), fileWith(scope, ""))),
}, () => {
  it("takes paths, URLs, file handles and descriptors, and everything in one object", async () => {
    const path = folder.file("some text");
    const handle = await open(path);
    const target = await open(fresh(), "w+");
    const sources = [path, pathToFileURL(path), { fd: handle.fd }, handle.fd];
    for (const source of sources) {
      const { bytes } = await transfer(source, target);
      assert.equal(bytes, 9);
    }
    const report = await transfer({ from: path, to: target, start: 5, length: 2 });
    assert.deepEqual([report.bytes, report.methods.length], [2, 1]);
    await target.close();
    await handle.close();
  });

  it("moves a file to where the target stands, and its position along", () =>
    inScope(async (scope) => {
      const target = fileWith(scope, "0123456789");
      sys.lseek(target, 3, sys.Whence.SET);
      const source = fileWith(scope, "abcdef");
      sys.lseek(source, 1, sys.Whence.SET);
      for (const method of ["range", "sendfile", "splice", "copy"] as const) {
        await transfer(source, target, { method, length: 1 });
      }
      assert.equal(sys.lseek(target, 0, sys.Whence.CUR), 7);
      assert.equal(sys.lseek(source, 0, sys.Whence.CUR), 1);
      const bytes = new Uint8Array(20);
      assert.equal(
        Buffer.from(bytes.subarray(0, sys.pread(target, bytes, 0))).toString(),
        "012aaaa789",
      );
    }));

  it("moves to an offset and leaves the rest and the position alone", () =>
    inScope(async (scope) => {
      for (const method of ["auto", "range", "splice", "copy"] as const) {
        const path = folder.file("0123456789");
        const target = scope.open(path, sys.OpenFlag.RDWR);
        const options: TransferOptions = { method, targetOffset: 4, start: 1, end: 3 };
        assert.equal((await transfer(fileWith(scope, "abcdef"), target, options)).bytes, 3);
        assert.equal(readFileSync(path, "utf8"), "0123bcd789");
        assert.equal(sys.lseek(target, 0, sys.Whence.CUR), 0);
      }
    }));

  it("appends where the target appends", () =>
    inScope(async (scope) => {
      const path = folder.file("begin ");
      const target = scope.open(path, sys.OpenFlag.WRONLY | sys.OpenFlag.APPEND);
      const { method } = await transfer(fileWith(scope, "end"), target);
      assert.equal(method, "copy");
      assert.equal(readFileSync(path, "utf8"), "begin end");
      const { code } = await failing(transfer(fileWith(scope, "x"), target, { targetOffset: 0 }));
      assert.equal(code, "ESPIPE");
    }));

  it("moves whatever a pipe carries, through any pipe, without touching its flags", async () => {
    for (const blocking of [false, true]) {
      await inScope(async (scope) => {
        const bytes = noise(3 * MIB + 7);
        const first = new Pipe({ blocking });
        try {
          const second = new Pipe({ blocking, capacity: 4096 });
          try {
            const path = fresh();
            const target = scope.open(folder.file(""), sys.OpenFlag.RDWR);
            const flags = [first.readFd, second.writeFd].map((fd) => sys.statusFlags(fd));
            const reports = await Promise.all([
              transfer(folder.file(bytes), first.writeFd).finally(() => first.closeWrite()),
              transfer(first.readFd, second.writeFd).finally(() => second.closeWrite()),
              transfer(second.readFd, target),
            ]);
            assert.deepEqual(reports.map(({ bytes }) => bytes), [
              bytes.length,
              bytes.length,
              bytes.length,
            ]);
            assert.deepEqual(reports.map(({ method }) => method), ["splice", "splice", "splice"]);
            assert.deepEqual(flags[0], sys.statusFlags(first.readFd));
            sys.lseek(target, 0, sys.Whence.SET);
            assert.ok((await readAll(target)).equals(bytes));
            assert.notEqual(path, "");
          } finally {
            second.close();
          }
        } finally {
          first.close();
        }
      });
    }
  });

  for (const kind of ["tcp", "unix"] as const) {
    it(`moves between ${kind} sockets, files and pipes`, () =>
      inScope(async (scope) => {
        const bytes = noise(2 * MIB + 1);
        const [a, b] = scope[kind]();
        const [c, d] = scope[kind]();
        const target = fileWith(scope, "");
        const reports = await Promise.all([
          transfer(folder.file(bytes), a).finally(() => sys.shutdown(a, 1)),
          transfer(b, c).finally(() => sys.shutdown(c, 1)),
          transfer(d, target),
        ]);
        assert.deepEqual(reports.map(({ method }) => method), ["sendfile", "splice", "splice"]);
        sys.lseek(target, 0, sys.Whence.SET);
        assert.ok((await readAll(target)).equals(bytes));
      }));
  }

  it("copies between sockets that block, and leaves them blocking", () =>
    inScope(async (scope) => {
      const bytes = noise(MIB + 1);
      const pair = () =>
        scope.pair(sys.socketpair(sys.AddressFamily.UNIX, sys.SocketType.STREAM)) as [
          number,
          number,
        ];
      const [[a, b], [c, d]] = [pair(), pair()];
      const target = fileWith(scope, "");
      const reports = await Promise.all([
        transfer(folder.file(bytes), a).finally(() => sys.shutdown(a, 1)),
        transfer(b, c).finally(() => sys.shutdown(c, 1)),
        transfer(d, target),
      ]);
      assert.deepEqual(reports.map(({ method }) => method), ["copy", "copy", "copy"]);
      for (const fd of [a, b, c, d]) {
        assert.equal(sys.statusFlags(fd) & sys.OpenFlag.NONBLOCK, 0);
      }
      sys.lseek(target, 0, sys.Whence.SET);
      assert.ok((await readAll(target)).equals(bytes));
      const forced = transfer(b, c, { method: "splice" });
      assert.equal((await failing(forced)).name, "UnsupportedError");
    }));

  it("stops after length bytes and leaves the rest in the pipe", () =>
    inScope(async (scope) => {
      const [read, write] = scope.pipe();
      sys.write(write, noise(1000));
      const target = fileWith(scope, "");
      assert.equal((await transfer(read, target, { length: 300 })).bytes, 300);
      assert.equal(sys.fionread(read), 700);
      assert.equal((await transfer(read, target, { start: 0, end: 99 })).bytes, 100);
      assert.equal((await transfer(read, target, { length: 0 })).method, "none");
      sys.write(write, noise(1));
      assert.equal(sys.fionread(read), 601);
    }));

  it("waits for bytes without holding anything up", () =>
    inScope(async (scope) => {
      const [read, write] = scope.pipe(0);
      const [x, y] = scope.unix();
      let turns = 0;
      const timer = setInterval(() => turns++, 5);
      const moving = transfer(read, x, { length: 10 });
      while (turns < 10) await sleep(5);
      sys.write(write, noise(4));
      while (sys.fionread(y) < 4) await sleep(1);
      sys.write(write, noise(6));
      assert.equal((await moving).bytes, 10);
      clearInterval(timer);
    }));

  it("waits for room without holding anything up", () =>
    inScope(async (scope) => {
      const [read, write] = sys.pipe2(sys.OpenFlag.NONBLOCK | sys.OpenFlag.CLOEXEC);
      scope.fd(read);
      const bytes = noise(MIB);
      const moving = transfer(folder.file(bytes), write);
      await sleep(20);
      const received = readAll(read);
      assert.equal((await moving).bytes, MIB);
      // The end comes with the last writer.
      sys.close(write);
      assert.ok((await received).equals(bytes));
    }));

  it("reports an abort with what was moved, at any time", () =>
    inScope(async (scope) => {
      const [read, write] = scope.pipe();
      const target = fileWith(scope, "");
      const controller = new AbortController();
      const moving = transfer(read, target, { signal: controller.signal });
      sys.write(write, noise(500));
      for (let i = 0; i < 200 && sys.fionread(read) > 0; i++) await sleep(5);
      await sleep(20);
      controller.abort(new Error("enough"));
      const error = await failing(moving);
      assert.ok(error instanceof AbortError);
      assert.deepEqual([error.bytesMoved, (error.cause as Error).message], [500, "enough"]);
      const late = transfer(read, target, { signal: AbortSignal.abort() });
      assert.equal((await failing(late)).bytesMoved, 0);
    }));

  it("tells how many bytes an abort has cost", () =>
    inScope(async (scope) => {
      // The target is full, so what was taken from the socket cannot be delivered.
      const [a, b] = scope.unix();
      const [c] = scope.unix();
      while (sys.raw.write(c, noise(65536)) > 0);
      sys.write(a, noise(5000));
      const error = await failing(transfer(b, c, { signal: AbortSignal.timeout(200) }));
      assert.ok(error instanceof AbortError);
      assert.equal(error.bytesMoved, 0);
      assert.equal((error as { bytesHeld?: number }).bytesHeld, 5000 - sys.fionread(b));
    }));

  it("ends with EBADF when a descriptor is closed, and leaves the next owner of its number alone", () =>
    inScope(async (scope) => {
      const [read, write] = sys.pipe2(sys.OpenFlag.NONBLOCK | sys.OpenFlag.CLOEXEC);
      const target = fileWith(scope, "");
      const moving = failing(transfer(read, target));
      sys.write(write, noise(100));
      await sleep(20);
      sys.close(read);
      // It gets the number that has just become free.
      const [reused, other] = scope.pair(sys.pipe2(sys.OpenFlag.NONBLOCK | sys.OpenFlag.CLOEXEC));
      assert.equal(reused, read);
      sys.write(other, noise(77));
      const { code, bytesMoved } = await moving;
      assert.deepEqual([code, bytesMoved], ["EBADF", 100]);
      assert.equal(sys.fionread(reused), 77);
      sys.close(write);
    }));

  it("refuses overlapping ranges of one file, and moves others", () =>
    inScope(async (scope) => {
      const path = folder.file("abcdef");
      const [a, b] = [scope.open(path, sys.OpenFlag.RDWR), scope.open(path, sys.OpenFlag.RDWR)];
      for (const [start, length, targetOffset] of [[0, 6, 0], [0, 3, 2], [2, 3, 0]] as const) {
        const { code } = await failing(transfer(a, b, { start, length, targetOffset }));
        assert.equal(code, "EINVAL");
      }
      assert.equal(readFileSync(path, "utf8"), "abcdef");
      await transfer(a, b, { start: 0, length: 3, targetOffset: 3 });
      assert.equal(readFileSync(path, "utf8"), "abcabc");
    }));

  it("notices that the source became shorter", () =>
    inScope(async (scope) => {
      for (const target of [fileWith(scope, ""), scope.pipe()[1]!]) {
        const source = fileWith(scope, noise(MIB));
        let cut = false;
        const error = await failing(transfer(source, target, {
          maxRate: 8 * MIB,
          chunkSize: 4096,
          onProgress: () => {
            if (!cut) sys.ftruncate(source, 0);
            cut = true;
          },
          signal: AbortSignal.timeout(20_000),
        }));
        assert.equal(error.name, "TruncatedError");
        assert.ok(error.bytesMoved < MIB);
      }
    }));

  it("refuses wrong arguments before any call", async () => {
    const source = folder.file("x");
    const wrong = (options: unknown, to: unknown = 1) =>
      transfer(source, to as number, options as TransferOptions);
    for (
      const options of [
        null,
        { start: 1, offset: 1 },
        { method: "fast" },
        { stability: "none" },
        { stability: "copy", method: "splice" },
        { end: 1, length: 1 },
        { signal: 1 },
        { start: "1" },
      ]
    ) {
      await assert.rejects(wrong(options), TypeError);
    }
    for (
      const options of [{ start: -1 }, { targetOffset: 1.5 }, { chunkSize: 1 }, { maxRate: -1 }]
    ) {
      await assert.rejects(wrong(options), RangeError);
    }
    for (const target of ["path", null, {}, -1, 1.5, { fd: "1" }]) {
      await assert.rejects(wrong({}, target), TypeError);
    }
    for (const from of [null, {}, -1, true]) {
      await assert.rejects(transfer(from as never, 1), TypeError);
    }
    assert.equal((await failing(transfer(CLOSED_FD, 1))).code, "EBADF");
    assert.equal((await failing(transfer(join(folder.path, "none"), 1))).code, "ENOENT");
    const beyond = transfer(source, CLOSED_FD, { start: 2 });
    assert.ok((await failing(beyond)) instanceof RangeError);
  });

  it("reports progress of known and of unknown length", () =>
    inScope(async (scope) => {
      const totals = new Set<number>();
      const target = fileWith(scope, "");
      const onProgress = ({ bytes, total }: { bytes: number; total: number }) => {
        assert.ok(bytes <= total);
        totals.add(total);
      };
      await transfer(folder.file(noise(1000)), target, { onProgress });
      const [read, write] = sys.pipe2(sys.OpenFlag.CLOEXEC);
      sys.write(write, noise(10));
      sys.close(write);
      await transfer(scope.fd(read), target, { onProgress });
      assert.deepEqual([...totals], [1000, Infinity]);
    }));

  it("keeps to the rate", () =>
    inScope(async (scope) => {
      const { durationMs } = await transfer(folder.file(noise(MIB)), fileWith(scope, ""), {
        maxRate: 2 * MIB,
      });
      assert.ok(durationMs > 350, `${durationMs} ms`);
    }));
});

/** Sizes and places around which numbers change their width. */
const EDGES = [
  0,
  1,
  4095,
  4096,
  4097,
  2 ** 16,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 32 + 5,
];

describe("the ranges of transfer()", () => {
  const LENGTH = 5000;
  const SIZE = 2 ** 32 + 3 * LENGTH;

  /** A sparse file with noise at every edge. */
  function marked(): string {
    const path = folder.file("");
    const fd = openSync(path, "r+");
    ftruncateSync(fd, SIZE);
    EDGES.forEach((at, seed) => writeSync(fd, noise(LENGTH, seed + 1), 0, LENGTH, at));
    closeSync(fd);
    return path;
  }

  function bytesAt(fd: number, at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    sys.pread(fd, bytes, at);
    return bytes;
  }

  for (const method of ["auto", "range", "splice", "copy"] as const) {
    it(`are moved exactly by method "${method}"`, () =>
      inScope(async (scope) => {
        const source = scope.open(marked());
        for (const start of EDGES) {
          for (const targetOffset of EDGES) {
            const target = scope.open(folder.file(""), sys.OpenFlag.RDWR);
            // The bytes around the range prove that nothing else is written.
            sys.ftruncate(target, targetOffset + LENGTH + 10);
            const guard = Buffer.from("##########");
            const before = Math.max(0, targetOffset - 10);
            sys.pwrite(target, guard.subarray(0, Math.max(1, targetOffset - before)), before);
            sys.pwrite(target, guard, targetOffset + LENGTH);
            await transfer(source, target, { method, start, length: LENGTH, targetOffset });
            const name = `${start} to ${targetOffset}`;
            assert.ok(
              bytesAt(target, targetOffset, LENGTH).equals(bytesAt(source, start, LENGTH)),
              name,
            );
            assert.ok(bytesAt(target, targetOffset + LENGTH, 10).equals(guard), name);
            if (targetOffset >= 10) assert.ok(bytesAt(target, before, 10).equals(guard), name);
            assert.equal(sys.lseek(target, 0, sys.Whence.END), targetOffset + LENGTH + 10);
            sys.ftruncate(target, 0);
          }
        }
      }));
  }

  it("are moved from every edge to a pipe", () =>
    inScope(async (scope) => {
      const source = scope.open(marked());
      for (const start of EDGES) {
        for (const method of ["auto", "sendfile", "splice", "copy"] as const) {
          const [read, write] = scope.pipe();
          await transfer(source, write, { method, start, length: LENGTH });
          const bytes = Buffer.alloc(LENGTH + 1);
          assert.equal(sys.read(read, bytes), LENGTH);
          assert.ok(bytes.subarray(0, LENGTH).equals(bytesAt(source, start, LENGTH)), `${start}`);
        }
      }
    }));

  it("may be longer than 4 GiB", () =>
    inScope(async (scope) => {
      // Memory: the holes of a file on a disk would fill the page cache.
      const source = scope.memfd();
      sys.ftruncate(source, SIZE);
      const { bytes } = await transfer(source, scope.open("/dev/null", sys.OpenFlag.WRONLY));
      assert.equal(bytes, SIZE);
    }));

  it("end at the end of the file", () =>
    inScope(async (scope) => {
      const source = fileWith(scope, noise(4096));
      for (const [start, length, expected] of [[4096, 1, 0], [4095, 9, 1], [0, 1e15, 4096]]) {
        const { bytes } = await transfer(source, fileWith(scope, ""), { start, length } as never);
        assert.equal(bytes, expected);
      }
      const error = await failing(transfer(source, fileWith(scope, ""), { start: 4097 }));
      assert.ok((error as Error) instanceof RangeError);
    }));
});
