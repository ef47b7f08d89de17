import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { broadcast } from "../../../src/mod.ts";
import { Folder, noise, sha256 } from "../../_kit/bytes.ts";
import { congestion, NO_BBR, withControl } from "../../_kit/congestion.ts";
import { until } from "../_broadcast.ts";

const MIB = 1024 * 1024;
const folder = new Folder();
after(() => folder.remove());

/** More than the buffers of a connection on loopback hold. */
const BYTES = noise(24 * MIB);

describe("broadcast() to a paced connection on loopback", () => {
  it("does without the pacing, and gives it back in the end", { skip: NO_BBR }, async () => {
    await withControl("bbr", async (fd, reader) => {
      reader.stream.pause();
      const running = broadcast(folder.file(BYTES), [fd], {
        onTargetEnd: () => assert.equal(congestion(fd), "bbr\0"),
      });
      await until(() => congestion(fd) === "reno", "the connection is not paced");
      reader.stream.resume();
      await running;
      assert.equal(sha256(await reader.take(BYTES.length)), sha256(BYTES));
    });
  });

  it("does without it if the reader keeps up, too", { skip: NO_BBR }, async () => {
    await withControl("bbr", async (fd, reader) => {
      const seen = new Set<string>();
      const count = 128 * 1024;
      async function* pieces() {
        for (let at = 0; at < 8 * count; at += count) {
          yield BYTES.subarray(at, at + count);
          // The next piece follows once the buffers are empty.
          await reader.take(count);
          seen.add(congestion(fd));
        }
      }
      await broadcast(pieces(), [fd]);
      assert.deepEqual([...seen], ["bbr\0", "reno"]);
    });
  });

  it("leaves the connection alone for a few bytes", { skip: NO_BBR }, async () => {
    await withControl("bbr", async (fd) => {
      const seen = new Set<string>();
      await broadcast(folder.file(BYTES.subarray(0, 64 * 1024)), [fd], {
        onProgress: () => seen.add(congestion(fd)),
      });
      seen.add(congestion(fd));
      assert.deepEqual([...seen], ["bbr\0"]);
    });
  });

  it("does not touch another congestion control", async () => {
    await withControl("reno", async (fd, reader) => {
      await broadcast(folder.file(BYTES), [fd]);
      assert.equal((await reader.take(BYTES.length)).length, BYTES.length);
    });
  });
});
