import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { broadcast, Pipe, type SlowTargetError } from "../../../src/mod.ts";
import type { SlowPolicy, TargetReport } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { Folder, noise, sha256 } from "../../_kit/bytes.ts";
import { openDescriptors } from "../../_kit/leaks.ts";
import { type Peer, peers, streamOf, until } from "../_broadcast.ts";

const MIB = 1024 * 1024;
const folder = new Folder();
after(() => folder.remove());

/** More than a stopped connection takes on loopback: both of its buffers, and the lag that it may have. */
const BYTES = noise(24 * MIB);
const HASH = sha256(BYTES);

async function withPeers(count: number, body: (all: Peer[]) => Promise<void>): Promise<void> {
  const { all, close } = await peers(count);
  try {
    await body(all);
  } finally {
    await close();
  }
}

const SOURCES = {
  file: () => folder.file(BYTES),
  stream: () => streamOf(BYTES, 64 * 1024),
};

for (const [kind, open] of Object.entries(SOURCES)) {
  describe(`broadcast() of a ${kind} with one target that has stopped`, () => {
    it("waits for it with slow: block, and gives it everything in the end", () =>
      withPeers(3, async (all) => {
        const [stopped, ...others] = all as [Peer, ...Peer[]];
        others.forEach((peer) => peer.read());
        let settled = false;
        const running = broadcast(open(), all.map(({ target }) => target));
        running.finally(() => settled = true).catch(() => {});
        // The others stay within the limit by which the stopped one may be behind.
        await until(() => others.every((peer) => peer.read().length > MIB), "the first bytes");
        assert.equal(settled, false);
        await new Promise((resolve) => setTimeout(resolve, 300));
        assert.ok(others.every((peer) => peer.read().length < BYTES.length));
        stopped.read();
        const { targets } = await running;
        for (const { bytes, dropped } of targets) {
          assert.deepEqual([bytes, dropped], [BYTES.length, 0]);
        }
        for (const peer of all) await peer.read().expect(BYTES);
      }));

    it("drops whole chunks of it with slow: drop, and gives the others everything", () =>
      withPeers(3, async (all) => {
        const [stopped, ...others] = all as [Peer, ...Peer[]];
        others.forEach((peer) => peer.read());
        const ends: TargetReport[] = [];
        // So long that those who read are never slow, however busy the machine is.
        const options = {
          slow: "drop",
          slowMs: 3000,
          onTargetEnd: (r: TargetReport) => ends.push(r),
        };
        const { targets } = await broadcast(
          open(),
          all.map(({ target }) => target),
          options as { slow: SlowPolicy },
        );
        const report = targets.find(({ target }) => target === stopped.target)!;
        assert.equal(report.outcome, "complete");
        assert.ok(report.dropped > 0);
        assert.equal(report.bytes + report.dropped, BYTES.length);
        for (const peer of others) await peer.read().expect(BYTES);
        assert.equal(ends.length, 3);
        assert.equal(ends.at(-1)!.target, stopped.target, "the others did not wait for its end");
        // It has the beginning.
        const got = await stopped.read().take(report.bytes);
        assert.equal(sha256(got), sha256(BYTES.subarray(0, got.length)));
      }));

    it("disconnects it with slow: disconnect", () =>
      withPeers(3, async (all) => {
        const [stopped, ...others] = all as [Peer, ...Peer[]];
        others.forEach((peer) => peer.read());
        const { targets } = await broadcast(open(), all.map(({ target }) => target), {
          slow: "disconnect",
          slowMs: 3000,
        });
        const report = targets.find(({ target }) => target === stopped.target)!;
        assert.equal(report.outcome, "failed");
        const { name, code, bytesMoved } = report.error as SlowTargetError;
        assert.deepEqual([name, code, bytesMoved], [
          "SlowTargetError",
          "ERR_SLUICE_SLOW_TARGET",
          report.bytes,
        ]);
        assert.equal(stopped.target.destroyed, true);
        for (const peer of others) await peer.read().expect(BYTES);
      }));

    for (const way of ["reset", "destroyed"] as const) {
      it(`goes on without one that is ${way} while it is waited for`, () =>
        withPeers(3, async (all) => {
          const [stopped, ...others] = all as [Peer, ...Peer[]];
          others.forEach((peer) => peer.read());
          const running = broadcast(open(), all.map(({ target }) => target));
          await until(() => others.every((peer) => peer.read().length > MIB), "the first bytes");
          if (way === "reset") stopped.socket.resetAndDestroy();
          else stopped.target.destroy();
          const { targets } = await running;
          const report = targets.find(({ target }) => target === stopped.target)!;
          assert.equal(report.outcome, "failed");
          assert.match((report.error as NodeJS.ErrnoException).code!, /^(EPIPE|ECONNRESET)$/);
          for (const peer of others) {
            assert.equal(sha256(await peer.read().take(BYTES.length)), HASH);
          }
        }));
    }
  });
}

describe("broadcast() of a file with slow: drop and much patience", () => {
  it("does not wait for one that has stopped: it falls behind by itself", () =>
    withPeers(3, async (all) => {
      const [stopped, ...others] = all as [Peer, ...Peer[]];
      others.forEach((peer) => peer.read());
      const ends: unknown[] = [];
      const running = broadcast(folder.file(BYTES), all.map(({ target }) => target), {
        slow: "drop",
        slowMs: 600_000,
        onTargetEnd: ({ target }) => ends.push(target),
      });
      for (const peer of others) {
        assert.equal(sha256(await peer.read().take(BYTES.length)), HASH);
      }
      await until(() => ends.length === 2, "the others are done");
      assert.ok(!ends.includes(stopped.target));
      // Nothing of it is lost either.
      await stopped.read().expect(BYTES);
      const { targets } = await running;
      for (const { bytes, dropped } of targets) {
        assert.deepEqual([bytes, dropped], [BYTES.length, 0]);
      }
    }));
});

describe("broadcast() with slow: drop", () => {
  it("gives the newest to one that reads again", () =>
    withPeers(2, async (all) => {
      const [stopped, reading] = all as [Peer, Peer];
      reading.read();
      const pipe = new Pipe();
      try {
        const running = broadcast(pipe.readFd, all.map(({ target }) => target), {
          slow: "drop",
          slowMs: 50,
        });
        // Each piece of 16 KiB holds nothing but its own number.
        let piece = 0;
        const write = () => {
          const bytes = new Uint8Array(16 * 1024);
          for (let i = 0; i < 16; i++) {
            bytes.fill(piece & 255);
            if (sys.raw.write(pipe.writeFd, bytes) < 0) return;
            piece++;
          }
        };
        const timer = setInterval(write, 1);
        try {
          await until(() => reading.read().length > 24 * MIB, "the one that reads gets on");
          const missed = piece;
          const { length } = stopped.read();
          await until(() => stopped.read().length > length + 6 * MIB, "the other one reads");
          assert.ok(piece > missed);
        } finally {
          clearInterval(timer);
          pipe.closeWrite();
        }
        const report = (await running).targets.find(({ target }) => target === stopped.target)!;
        assert.ok(report.dropped > 0);
        // 16 KiB of one number after the other: nothing was torn, whatever was dropped.
        const bytes = await stopped.read().take(report.bytes);
        assert.equal(bytes.length, report.bytes);
        for (let i = 0; i < bytes.length; i += 16 * 1024) {
          const part = bytes.subarray(i, i + 16 * 1024);
          assert.ok(part.every((byte) => byte === part[0]), `piece at ${i}`);
        }
      } finally {
        pipe.close();
      }
    }));

  it("reads on for a single target that has stopped, when the source is live", () =>
    withPeers(1, async (all) => {
      const pipe = new Pipe({ capacity: MIB });
      try {
        const running = broadcast(pipe.readFd, [all[0]!.target], { slow: "drop", slowMs: 20 });
        let written = 0;
        const bytes = new Uint8Array(256 * 1024);
        const timer = setInterval(
          () => written += Math.max(0, sys.raw.write(pipe.writeFd, bytes)),
          1,
        );
        await until(() => written > 24 * MIB, "the source is read");
        clearInterval(timer);
        pipe.closeWrite();
        const { targets: [report] } = await running;
        assert.equal(report!.bytes + report!.dropped, written);
      } finally {
        pipe.close();
      }
    }));
});

describe("broadcast(): those who come and go", () => {
  it("leaves no descriptor when they leave while they are waited for", () =>
    withPeers(6, async (all) => {
      const controller = new AbortController();
      const pipe = new Pipe({ capacity: MIB });
      try {
        const once = async () => {
          const running = broadcast(pipe.readFd, all.map(({ target }) => target), {
            empty: "wait",
            signal: controller.signal,
          });
          const timer = setInterval(() => sys.raw.write(pipe.writeFd, BYTES.subarray(0, MIB)), 1);
          await new Promise((resolve) => setTimeout(resolve, 50));
          for (const { target } of all) {
            assert.equal((await running.remove(target))!.outcome, "removed");
            assert.equal(running.remove(target), undefined);
          }
          clearInterval(timer);
          return { running };
        };
        const first = await once();
        const before = openDescriptors().length;
        const second = await once();
        controller.abort();
        for (const { running } of [first, second]) {
          await assert.rejects(running, { name: "AbortError" });
        }
        await until(() => openDescriptors().length <= before, "the pipes are closed");
      } finally {
        pipe.close();
      }
    }));
});
