import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { sendFile } from "../../../src/mod.ts";
import { Folder, noise, sha256 } from "../../_kit/bytes.ts";
import { congestion, NO_BBR, withControl } from "../../_kit/congestion.ts";
import { until } from "../_broadcast.ts";

const folder = new Folder();
after(() => folder.remove());

/** More than the buffers of a connection on loopback hold. */
const BYTES = noise(24 * 1024 * 1024);

describe("sendFile() to a paced connection on loopback", () => {
  it("does without the pacing, and gives it back in the end", { skip: NO_BBR }, async () => {
    await withControl("bbr", async (fd, reader) => {
      reader.stream.pause();
      const running = sendFile(fd, folder.file(BYTES));
      await until(() => congestion(fd) === "reno", "the connection is not paced");
      reader.stream.resume();
      await running;
      assert.equal(congestion(fd), "bbr\0");
      assert.equal(sha256(await reader.take(BYTES.length)), sha256(BYTES));
    });
  });

  it("gives it back when it is aborted", { skip: NO_BBR }, async () => {
    const abort = new AbortController();
    await withControl("bbr", async (fd, reader) => {
      reader.stream.pause();
      const running = sendFile(fd, folder.file(BYTES), { signal: abort.signal });
      await until(() => congestion(fd) === "reno", "the connection is not paced");
      abort.abort();
      await assert.rejects(running, { name: "AbortError" });
    });
  });
});
