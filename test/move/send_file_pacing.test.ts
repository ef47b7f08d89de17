import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { sendFile } from "../../src/mod.ts";
import { Folder, noise, sha256 } from "../_kit/bytes.ts";
import { congestion, NO_BBR, setCongestion } from "../_kit/congestion.ts";
import { openTcp } from "../_kit/targets_descriptor.ts";
import { until } from "./_broadcast.ts";

const folder = new Folder();
after(() => folder.remove());

/** More than the buffers of a connection on loopback hold. */
const BYTES = noise(24 * 1024 * 1024);

describe("sendFile() to a paced connection on loopback", () => {
  it("does without the pacing, and gives it back in the end", { skip: NO_BBR }, async () => {
    const pair = await openTcp();
    try {
      const fd = pair.target as number;
      assert.ok(setCongestion(fd, "bbr"));
      pair.reader.stream.pause();
      const running = sendFile(fd, folder.file(BYTES));
      await until(() => congestion(fd) === "reno", "the connection is not paced");
      pair.reader.stream.resume();
      await running;
      assert.equal(congestion(fd), "bbr\0");
      assert.equal(sha256(await pair.reader.take(BYTES.length)), sha256(BYTES));
    } finally {
      await pair.close();
    }
  });

  it("gives it back when it is aborted", { skip: NO_BBR }, async () => {
    const pair = await openTcp();
    const abort = new AbortController();
    try {
      const fd = pair.target as number;
      assert.ok(setCongestion(fd, "bbr"));
      pair.reader.stream.pause();
      const running = sendFile(fd, folder.file(BYTES), { signal: abort.signal });
      await until(() => congestion(fd) === "reno", "the connection is not paced");
      abort.abort();
      await assert.rejects(running, { name: "AbortError" });
      assert.equal(congestion(fd), "bbr\0");
    } finally {
      await pair.close();
    }
  });
});
