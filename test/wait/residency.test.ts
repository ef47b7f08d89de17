import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FileAdvice } from "../../src/sys/file_flags.ts";
import { close, pipe2, posixFadvise, pread } from "../../src/sys/raw/mod.ts";
import { bringIn, resident, WINDOW } from "../../src/wait/residency.ts";
import { runChild } from "../_kit/child.ts";
import { assertWhenDropped } from "../_kit/page_cache.ts";
import { pattern, withFile, withFileAsync } from "../_kit/temp.ts";

const KIB = 1024;

describe("resident()", () => {
  it("counts what was just written, at most one window", () => {
    withFile(pattern(WINDOW + 1), (fd) => {
      assert.equal(resident(fd, 0, 1), 1);
      assert.equal(resident(fd, 100, 70 * KIB), 70 * KIB);
      assert.equal(resident(fd, 0, 2 * WINDOW), WINDOW);
      assert.equal(resident(fd, 0, 0), 0);
    });
  });

  it("says 0 for a file that was dropped from the cache", async () => {
    await withFileAsync(pattern(WINDOW), async (fd) => {
      await assertWhenDropped(fd, 0, () => resident(fd, 0, WINDOW));
    });
  });

  it("stops at the first stretch that is missing", async () => {
    await withFileAsync(pattern(WINDOW), async (fd) => {
      posixFadvise(fd, 0, 0, FileAdvice.RANDOM); // no reading ahead
      await assertWhenDropped(fd, 192 * KIB, () => {
        pread(fd, new Uint8Array(192 * KIB), 0);
        return resident(fd, 0, WINDOW);
      });
    });
  });

  it("counts what lies behind the end as there", () => {
    withFile("abc", (fd) => {
      assert.equal(resident(fd, 0, 100), 100);
      assert.equal(resident(fd, 1000, 100), 100);
    });
  });

  it("counts what cannot be asked as cold", () => {
    assert.equal(resident(-1, 0, 100), 0);
    const fds = new Int32Array(2);
    pipe2(fds, 0);
    assert.equal(resident(fds[0]!, 0, 100), 0);
    fds.forEach((fd) => close(fd));
  });
});

describe("bringIn()", () => {
  it("makes a dropped range resident", async () => {
    await withFileAsync(pattern(3 * WINDOW), async (fd) => {
      await assertWhenDropped(fd, 0, () => resident(fd, WINDOW + 5, WINDOW));
      await bringIn(fd, WINDOW + 5, WINDOW);
      assert.equal(resident(fd, WINDOW + 5, WINDOW), WINDOW);
    });
  });

  it("resolves at the end of the file", async () => {
    await withFileAsync(pattern(1000), async (fd) => {
      await bringIn(fd, 0, 10 * WINDOW);
      await bringIn(fd, 5000, WINDOW);
      await bringIn(fd, 0, 0);
    });
  });

  it("rejects a descriptor that is not open", async () => {
    await assert.rejects(bringIn(-1, 0, 1), { code: "EBADF", syscall: "sendfile" });
  });

  it("works where no Worker can be started", async () => {
    const program = new URL("./_fixtures/bring_in.ts", import.meta.url);
    const { code, stdout, stderr } = await runChild(program, {
      env: { SLUICE_WORKER: "/missing.js" },
    });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, `${WINDOW}\n`);
  });
});
