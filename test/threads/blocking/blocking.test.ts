import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { errnoNumber } from "../../../src/errors.ts";
import { FileType } from "../../../src/sys/file/statx.ts";
import { close, pipe2, poll, write } from "../../../src/sys/raw/mod.ts";
import { runBlocking } from "../../../src/threads/blocking/blocking.ts";
import { statusOf } from "../../../src/threads/blocking/files.ts";
import { scoped } from "../../_kit/fds.ts";
import { pattern, withFileAsync } from "../../_kit/temp.ts";

/** Threads of this process by their priority: field 19 of proc_pid_stat(5). */
function threadsByNice(): Map<number, string[]> {
  return Map.groupBy(readdirSync("/proc/self/task"), (thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
  });
}

describe("runBlocking()", () => {
  it("returns the count of the call", async () => {
    const bytes = pattern(100_000);
    await withFileAsync(bytes, async (from) => {
      await withFileAsync("", async (to, path) => {
        assert.equal(await runBlocking("sendfile", to, from, 1, bytes.length), bytes.length - 1);
        assert.deepEqual(new Uint8Array(readFileSync(path)), bytes.subarray(1));
      });
    });
  });

  it("lets every other thread go first", async () => {
    const own = new Set(threadsByNice().get(10));
    await runBlocking("fsync", -1);
    assert.equal(threadsByNice().get(10)?.length, Math.max(1, own.size));
    assert.ok(!threadsByNice().get(10)!.includes(String(process.pid)), "the main thread is behind");
  });

  it("returns -errno and throws nothing", async () => {
    assert.equal(await runBlocking("fsync", -1), -errnoNumber("EBADF"));
    assert.equal(await runBlocking("posixFadvise", -1, 0, 0, 0), -errnoNumber("EBADF"));
  });

  it("runs every call that it knows", async () => {
    await withFileAsync(pattern(8192), async (fd) => {
      assert.equal(await runBlocking("fallocate", fd, 0, 0, 16384), 0);
      assert.equal(await runBlocking("fdatasync", fd), 0);
      assert.equal(await runBlocking("fsync", fd), 0);
      assert.equal(await runBlocking("readahead", fd, 0, 8192), 0);
      assert.equal(await runBlocking("posixFadvise", fd, 0, 0, 0), 0);
      assert.equal(await runBlocking("populate", fd, 0, 1 << 20), 0);
      assert.equal(await runBlocking("copyFileRange", fd, 0, fd, 8192, 4096), 4096);
      const fds = new Int32Array(2);
      pipe2(fds, 0);
      assert.equal(await runBlocking("splice", fd, 0, fds[1]!, null, 4096, 0), 4096);
      fds.forEach((end) => close(end));
    });
  });

  it("leaves the event loop alone while a call blocks", async () => {
    const fds = new Int32Array(2);
    pipe2(fds, 0);
    await withFileAsync("", async (fd) => {
      const blocked = runBlocking("splice", fds[0]!, null, fd, 0, 1, 0);
      await new Promise((resolve) => setTimeout(resolve, 30));
      assert.equal(poll(fds[0]!, 1, 0), 0);
      write(fds[1]!, new Uint8Array(1));
      assert.equal(await blocked, 1);
    });
    fds.forEach((end) => close(end));
  });

  it("keeps many requests apart", async () => {
    await withFileAsync(pattern(4096), async (from) => {
      await withFileAsync("", async (to) => {
        const counts = Array.from({ length: 500 }, (_, i) => i + 1);
        const results = counts.map((n) => runBlocking("sendfile", to, from, 0, n));
        assert.deepEqual(await Promise.all(results), counts);
      });
    });
  });
});

describe("statusOf()", () => {
  it(
    "asks no thread about pipes and sockets",
    scoped((scope) => {
      const ends = [[scope.pipe()[0], FileType.FIFO], [scope.unix()[0], FileType.SOCKET]] as const;
      for (const [fd, type] of ends) {
        const status = statusOf(fd);
        assert.ok(typeof status === "object" && "type" in status, "the answer comes later");
        assert.equal(status.type, type);
      }
    }),
  );
});
