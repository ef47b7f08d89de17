import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { after, describe, it } from "node:test";
import { broadcast, type BroadcastOptions, Pipe, type TransferTarget } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { Folder, noise, sha256 } from "../../_kit/bytes.ts";
import { runChild } from "../../_kit/child.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { TARGETS } from "../../_kit/targets.ts";
import { peers, pipeOf, streamOf } from "../_broadcast.ts";

const KIB = 1024;
const folder = new Folder();
after(() => folder.remove());

const BYTES = noise(3_000_001);
const HASH = sha256(BYTES);

/** Source kinds, each with the method of targets whose descriptor is known. */
const SOURCES = {
  file: { open: () => ({ source: folder.file(BYTES), close() {} }), method: "sendfile" },
  pipe: {
    open: () => {
      const pipe = pipeOf(BYTES);
      return { source: pipe.readFd, close: () => pipe.close() };
    },
    method: "splice",
  },
  stream: { open: () => ({ source: streamOf(BYTES), close() {} }), method: "copy" },
} as const;

const warmUp = async () => {
  const { all, close } = await peers(2);
  all.forEach((peer) => peer.read());
  // With a file, for which there is a thread of its own; Deno keeps two descriptors of one that ends.
  const file = openSync(folder.file(""), "r+");
  await broadcast(folder.file(BYTES), [...all.map(({ target }) => target), file]);
  closeSync(file);
  await close();
};

describeWithoutLeaks("broadcast()", { warmUp }, () => {
  for (const [kind, { open, method }] of Object.entries(SOURCES)) {
    it(`sends a ${kind} to every kind of target at once`, async () => {
      const pairs = await Promise.all(
        TARGETS.filter(({ skip }) => !skip).map(async (row) => ({ row, pair: await row.open() })),
      );
      const path = folder.file("");
      const file = openSync(path, "r+");
      const { source, close } = open();
      const targets = pairs.map(({ pair }) => pair.target as TransferTarget);
      const result = await broadcast(source, [...targets, file]);
      assert.equal(result.bytes, BYTES.length);
      assert.equal(result.method, method);
      assert.equal(result.targets.length, targets.length + 1);
      for (const { row, pair } of pairs) {
        const report = result.targets.find(({ target }) => target === pair.target)!;
        assert.equal(report.error, undefined, row.name);
        assert.deepEqual([report.outcome, report.bytes, report.dropped], [
          "complete",
          BYTES.length,
          0,
        ]);
        // A response in chunks cannot be sent behind the runtime's back.
        const direct = row.method !== "copy" && row.kind !== "response";
        const byPipe = direct && method === "sendfile" && row.method === "splice";
        assert.equal(report.method, byPipe ? "splice" : direct ? method : "copy", row.name);
        pair.end();
        await pair.reader.expect(BYTES, row.name);
        await pair.close();
      }
      assert.equal(sha256(readFileSync(path)), HASH);
      closeSync(file);
      close();
    });
  }

  it("sends a part of a file, from where the range says", async () => {
    const { all, close } = await peers(2);
    const path = folder.file(BYTES);
    for (const range of [{ start: 5, end: 9 }, { start: 100_000, length: 70_000 }, { length: 0 }]) {
      const { bytes } = await broadcast(path, all.map(({ target }) => target), range);
      assert.equal(bytes, range.end === undefined ? range.length : 5);
    }
    const expected = Buffer.concat([BYTES.subarray(5, 10), BYTES.subarray(100_000, 170_000)]);
    for (const peer of all) await peer.read().expect(expected);
    await close();
  });

  it("reads no more than length bytes from a pipe, and leaves the others in it", async () => {
    const { all, close } = await peers(2);
    const pipe = new Pipe();
    try {
      sys.write(pipe.writeFd, BYTES.subarray(0, 50_000));
      const result = await broadcast(pipe.readFd, all.map(({ target }) => target), {
        length: 20_001,
      });
      assert.equal(result.bytes, 20_001);
      const rest = new Uint8Array(40_000);
      assert.equal(sys.read(pipe.readFd, rest), 29_999);
      for (const peer of all) await peer.read().expect(BYTES.subarray(0, 20_001));
      await close();
    } finally {
      pipe.close();
    }
  });

  it("keeps every byte around the capacity of its pipes", async () => {
    for (
      const size of [1, 4095, 4096, 8191, 8192, 65_535, 65_536, 65_537, 262_144, 524_288, 524_289]
    ) {
      const { all, close } = await peers(3);
      const bytes = BYTES.subarray(0, size);
      const pipe = pipeOf(bytes, size);
      const result = await broadcast(pipe.readFd, all.map(({ target }) => target));
      assert.equal(result.bytes, size);
      for (const peer of all) await peer.read().expect(bytes, `${size}`);
      pipe.close();
      await close();
    }
  });

  it("keeps every byte of many small pieces, whose slots a pipe runs out of first", async () => {
    const { all, close } = await peers(3);
    all.slice(1).forEach((peer) => peer.read());
    const bytes = BYTES.subarray(0, 400_000);
    const pipe = pipeOf(bytes, 777);
    // The first one is not read until the others are far ahead.
    setTimeout(() => all[0]!.read(), 50);
    await broadcast(pipe.readFd, all.map(({ target }) => target));
    for (const peer of all) await peer.read().expect(bytes);
    pipe.close();
    await close();
  });

  it("goes on with bytes where a target cannot be given pages", async () => {
    const path = folder.file("first line\n");
    const appending = openSync(path, "a");
    const pipe = pipeOf(BYTES);
    const [left, right] = sys.socketpair(sys.AddressFamily.UNIX, sys.SocketType.STREAM);
    const received = new Uint8Array(BYTES.length);
    let length = 0;
    const reading = setInterval(() => {
      for (;;) {
        const count = sys.raw.recv(right, received.subarray(length), 0x40);
        if (count <= 0) return;
        length += count;
      }
    }, 1);
    const { targets } = await broadcast(pipe.readFd, [appending, left]);
    // A blocking socket: splice(2) would stop the event loop.
    assert.deepEqual(targets.map(({ error, bytes }) => [error, bytes]), [
      [undefined, BYTES.length],
      [undefined, BYTES.length],
    ]);
    while (length < BYTES.length) await new Promise((resolve) => setTimeout(resolve, 5));
    clearInterval(reading);
    assert.equal(sha256(received), HASH);
    assert.deepEqual(readFileSync(path), Buffer.concat([Buffer.from("first line\n"), BYTES]));
    closeSync(appending);
    [left, right].forEach(sys.close);
    pipe.close();
  });

  it("writes files at their position, and moves it", async () => {
    const path = folder.file("0123456789");
    const fd = openSync(path, "r+");
    sys.lseek(fd, 4, 0);
    await broadcast(folder.file("abc"), [fd]);
    assert.equal(readFileSync(path, "utf8"), "0123abc789");
    assert.equal(sys.lseek(fd, 0, 1), 7);
    closeSync(fd);
  });

  it("ends at once without targets, and with those that have all failed", async () => {
    assert.deepEqual((await broadcast(folder.file(BYTES), [])).targets, []);
    const { all, close } = await peers(2);
    all.forEach(({ socket }) => socket.destroy());
    const pipe = new Pipe();
    try {
      const running = broadcast(pipe.readFd, all.map(({ target }) => target));
      const timer = setInterval(() => sys.raw.write(pipe.writeFd, BYTES.subarray(0, 20_000)), 2);
      const { targets } = await running;
      clearInterval(timer);
      for (const { outcome, error } of targets) {
        assert.equal(outcome, "failed");
        assert.match((error as NodeJS.ErrnoException).code!, /^(EPIPE|ECONNRESET)$/);
      }
      await close();
    } finally {
      pipe.close();
    }
  });

  it("tells progress in bytes of the source, and keeps to maxRate", async () => {
    const { all, close } = await peers(2);
    all.forEach((peer) => peer.read());
    const seen: number[] = [];
    const startedMs = performance.now();
    await broadcast(folder.file(BYTES.subarray(0, 400_000)), all.map(({ target }) => target), {
      maxRate: 1_000_000,
      onProgress: ({ bytes, total }) => {
        assert.equal(total, 400_000);
        seen.push(bytes);
      },
    });
    assert.ok(performance.now() - startedMs > 200);
    assert.equal(seen.at(-1), 400_000);
    assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
    await close();
  });

  it("keeps what it read when the file is overwritten, with stability: copy", async () => {
    const { all, close } = await peers(1);
    const path = folder.file(BYTES.subarray(0, 200 * KIB));
    const { method } = await broadcast(path, [all[0]!.target], { stability: "copy" });
    assert.equal(method, "copy");
    writeFileSync(path, noise(200 * KIB, 9), { flag: "r+" });
    await all[0]!.read().expect(BYTES.subarray(0, 200 * KIB));
    await close();
  });
});

const NOT_ROOT = process.getuid?.() !== 0 || !existsSync("/usr/bin/setpriv")
  ? "only root can try what a user without privileges gets"
  : false;

describe("broadcast() without large pipes", () => {
  it("copies, to the last byte", { skip: NOT_ROOT }, async () => {
    const child = new URL("../_fixtures/broadcast_small_pipes.ts", import.meta.url);
    const { stdout, stderr, code } = await runChild(child, { timeoutMs: 60_000 });
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), new Array(3).fill(["copy", null, true]), stderr);
  });
});

describe("broadcast(): arguments", () => {
  it("are refused before anything is done", async () => {
    const wrong = (options: unknown) =>
      broadcast(folder.file("x"), [], options as BroadcastOptions);
    const types: unknown[] = [
      null,
      { slow: "wait" },
      { empty: "no" },
      { slowMs: "1", slow: "drop" },
      { slowMs: 5 },
      { stability: 1 },
      { onTargetEnd: 1 },
      { signal: 1 },
      { end: 1, length: 1 },
    ];
    for (const options of types) await assert.rejects(wrong(options), TypeError);
    for (const options of [{ slowMs: -1, slow: "drop" }, { start: -1 }, { chunkSize: 1 }]) {
      await assert.rejects(wrong(options), RangeError);
    }
    for (const target of [null, {}, "x", -1, 1.5]) {
      await assert.rejects(broadcast(folder.file("x"), [target as never]), TypeError);
    }
    await assert.rejects(broadcast(folder.file("x"), 1 as never), TypeError);
    await assert.rejects(broadcast({} as never, []), TypeError);
    await assert.rejects(broadcast(folder.file("x"), [], { start: 2 }), RangeError);
    await assert.rejects(broadcast("/nonexistent", []), { code: "ENOENT" });
    const pipe = new Pipe();
    try {
      await assert.rejects(broadcast(pipe.readFd, [], { start: 1 }), { code: "ESPIPE" });
      await assert.rejects(broadcast(pipe.writeFd, []), { code: "EBADF" });
    } finally {
      pipe.close();
    }
  });

  it("take no target twice at a time", async () => {
    const { all, close } = await peers(1);
    const { target } = all[0]!;
    all[0]!.read();
    await assert.rejects(broadcast(folder.file("x"), [target, target]), /twice/);
    const pipe = new Pipe();
    try {
      const running = broadcast(pipe.readFd, [target]);
      assert.throws(() => running.add(target), /twice/);
      await running.remove(target);
      await running;
      assert.equal(running.add(target), false, "it ended with the last one");
      await close();
    } finally {
      pipe.close();
    }
  });
});
