import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { broadcast } from "../../src/mod.ts";
import { Folder, noise, sha256 } from "../_kit/bytes.ts";
import { congestion, NO_BBR, setCongestion } from "../_kit/congestion.ts";
import { openTcp } from "../_kit/targets_descriptor.ts";
import { until } from "./_broadcast.ts";

const MIB = 1024 * 1024;
const folder = new Folder();
after(() => folder.remove());

/** More than the buffers of a connection on loopback hold. */
const BYTES = noise(24 * MIB);

describe("broadcast() to a paced connection on loopback", () => {
  it("does without the pacing, and gives it back in the end", { skip: NO_BBR }, async () => {
    const pair = await openTcp();
    try {
      const fd = pair.target as number;
      assert.ok(setCongestion(fd, "bbr"));
      pair.reader.stream.pause();
      const running = broadcast(folder.file(BYTES), [fd], {
        onTargetEnd: () => assert.equal(congestion(fd), "bbr\0"),
      });
      await until(() => congestion(fd) === "reno", "the connection is not paced");
      pair.reader.stream.resume();
      await running;
      assert.equal(congestion(fd), "bbr\0");
      assert.equal(sha256(await pair.reader.take(BYTES.length)), sha256(BYTES));
    } finally {
      await pair.close();
    }
  });

  it("leaves the connection alone for a few bytes", { skip: NO_BBR }, async () => {
    const pair = await openTcp();
    try {
      const fd = pair.target as number;
      assert.ok(setCongestion(fd, "bbr"));
      const seen = new Set<string>();
      const bytes = BYTES.subarray(0, 64 * 1024);
      const running = broadcast(folder.file(bytes), [fd], {
        onProgress: () => seen.add(congestion(fd)),
      });
      await running;
      seen.add(congestion(fd));
      assert.deepEqual([...seen], ["bbr\0"]);
    } finally {
      await pair.close();
    }
  });

  it("does not touch another congestion control", async () => {
    const pair = await openTcp();
    try {
      const fd = pair.target as number;
      assert.ok(setCongestion(fd, "reno"));
      await broadcast(folder.file(BYTES), [fd]);
      assert.equal(congestion(fd), "reno");
      assert.equal((await pair.reader.take(BYTES.length)).length, BYTES.length);
    } finally {
      await pair.close();
    }
  });
});
