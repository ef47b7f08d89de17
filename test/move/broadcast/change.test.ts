import fc from "fast-check";
import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { after, describe, it } from "node:test";
import { broadcast, Pipe, type TargetReport } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { Folder, noise } from "../../_kit/bytes.ts";
import { openDescriptors } from "../../_kit/leaks.ts";
import { type Peer, peers, until } from "../_broadcast.ts";

const MIB = 1024 * 1024;
const folder = new Folder();
after(() => folder.remove());

const PEERS = 4;
/** Content of the pipe: pieces that contain their offset, so that each stretch is unique. */
const PIECE = 4096;
const PIECES = 200;
const BYTES = new Uint8Array(PIECE * PIECES);
new Uint32Array(BYTES.buffer).forEach((_, i, all) => all[i] = i);

type Step = { kind: "write"; pieces: number } | { kind: "toggle"; peer: number } | { kind: "turn" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("write" as const), pieces: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant("toggle" as const), peer: fc.nat(PEERS - 1) }),
  fc.record({ kind: fc.constant("turn" as const) }),
);

describe("broadcast(): targets that join and leave at any moment", () => {
  it("get one stretch of the stream for each time that they take part", async () => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { all, close } = await peers(PEERS);
      const pipe = new Pipe({ capacity: MIB });
      const reports = new Map<unknown, Promise<TargetReport>[]>();
      const ended: TargetReport[] = [];
      const running = broadcast(pipe.readFd, [], {
        empty: "wait",
        onTargetEnd: (report) => ended.push(report),
      });
      const inside = new Set<Peer>();
      let written = 0;
      for (const each of steps) {
        if (each.kind === "turn") await new Promise((resolve) => setTimeout(resolve, 1));
        else if (each.kind === "write") {
          const stop = Math.min(PIECES, written + each.pieces);
          const bytes = BYTES.subarray(written * PIECE, stop * PIECE);
          if (bytes.length > 0) assert.equal(sys.raw.write(pipe.writeFd, bytes), bytes.length);
          written = stop;
        } else {
          const peer = all[each.peer]!;
          peer.read();
          if (inside.delete(peer)) {
            const report = running.remove(peer.target)!;
            reports.set(peer, [...reports.get(peer) ?? [], report]);
          } else if (running.add(peer.target)) inside.add(peer);
        }
      }
      // One target must stay for the rest.
      const [last] = all as [Peer];
      last.read();
      if (!inside.has(last)) running.add(last.target);
      inside.add(last);
      pipe.closeWrite();
      const result = await running;
      assert.equal(result.bytes, written * PIECE);
      for (const peer of all) {
        const left = await Promise.all(reports.get(peer) ?? []);
        const stayed = result.targets.filter(({ target }) => target === peer.target);
        assert.equal(stayed.length, inside.has(peer) ? 1 : 0);
        const stretches = [...left, ...stayed];
        for (const { error, dropped } of stretches) {
          assert.deepEqual([error, dropped], [undefined, 0]);
        }
        const total = stretches.reduce((sum, { bytes }) => sum + bytes, 0);
        const got = await peer.read().take(total);
        assert.equal(got.length, total);
        checkStretches(got, stretches.map(({ bytes }) => bytes));
        // A target that stayed has the end.
        if (stayed[0]?.bytes) {
          const tail = got.subarray(got.length - stayed[0].bytes);
          assert.deepEqual(
            tail,
            Buffer.from(BYTES.subarray(0, written * PIECE)).subarray(-tail.length),
          );
        }
      }
      await until(
        () => ended.length === result.targets.length + [...reports.values()].flat().length,
        "calls",
      );
      pipe.close();
      await close();
    });
    await fc.assert(property, { numRuns: 25, interruptAfterTimeLimit: 60_000 });
  });

  function checkStretches(got: Buffer, lengths: readonly number[]): void {
    let at = 0;
    let least = 0;
    for (const length of lengths) {
      const part = got.subarray(at, at + length);
      at += length;
      if (length < 8) continue;
      // Where the stretch begins: it may end anywhere, and so the next one starts on a chunk.
      const start = part.readUInt32LE(0) * 4;
      assert.ok(start >= least, `a stretch from ${start} behind ${least}`);
      assert.deepEqual(part, Buffer.from(BYTES.subarray(start, start + length)));
      least = start + length - (length % 4);
    }
  }
});

describe("broadcast() that breaks off", () => {
  const begin = async (count: number) => {
    const { all, close } = await peers(count);
    return { all, close, targets: all.map(({ target }) => target) };
  };

  it("when the signal fires, with what was sent, and lets go of everything", async () => {
    const { all, close, targets } = await begin(3);
    all.slice(1).forEach((peer) => peer.read());
    const path = folder.file(noise(24 * MIB));
    const before = openDescriptors().length;
    for (const kind of ["file", "pipe"] as const) {
      const controller = new AbortController();
      const pipe = new Pipe({ capacity: MIB });
      try {
        sys.raw.write(pipe.writeFd, BYTES);
        const running = broadcast(kind === "file" ? path : pipe.readFd, targets, {
          signal: controller.signal,
        });
        await until(() => all[1]!.read().length > 0, "the first bytes");
        controller.abort(new Error("enough"));
        await assert.rejects(running, (error: Error & { targets: TargetReport[] }) => {
          assert.equal(error.name, "AbortError");
          assert.equal((error.cause as Error).message, "enough");
          assert.equal(error.targets.length, 3);
          for (const report of error.targets) assert.equal(report.outcome, "failed");
          return true;
        });
      } finally {
        pipe.close();
      }
    }
    await until(() => openDescriptors().length <= before, "descriptors are closed");
    assert.ok(targets.every((target) => !target.destroyed));
    await assert.rejects(broadcast(path, targets, { signal: AbortSignal.abort() }), {
      name: "AbortError",
    });
    await close();
  });

  it("when the file becomes shorter", async () => {
    const { all, close, targets } = await begin(2);
    const path = folder.file(noise(24 * MIB));
    all[1]!.read();
    const running = broadcast(path, targets);
    await until(() => all[1]!.read().length > MIB, "the first bytes");
    truncateSync(path, 1000);
    all[0]!.read();
    await assert.rejects(running, { name: "TruncatedError", code: "ERR_SLUICE_TRUNCATED" });
    await close();
  });

  it("when a stream fails, with its own error", async () => {
    const { all, close, targets } = await begin(2);
    const source = (async function* () {
      yield BYTES.subarray(0, 1000);
      await Promise.resolve();
      throw new Error("the source broke");
    })();
    await assert.rejects(broadcast(source, targets), /the source broke/);
    for (const peer of all) await peer.read().expect(BYTES.subarray(0, 1000));
    const wrong = (async function* () {
      await Promise.resolve();
      yield 5 as unknown as Uint8Array;
    })();
    await assert.rejects(broadcast(wrong, targets), TypeError);
    await close();
  });

  it("when its descriptor is closed while it waits", async () => {
    const { close, targets } = await begin(1);
    const pipe = new Pipe();
    const running = broadcast(pipe.readFd, targets);
    setTimeout(() => pipe.closeRead(), 20);
    await assert.rejects(running, { code: "EBADF" });
    pipe.close();
    await close();
  });
});
