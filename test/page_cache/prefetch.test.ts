import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FileAdvice } from "../../src/sys/flags/file.ts";
import { close, ftruncate, pipe2, posixFadvise, pread } from "../../src/sys/raw/mod.ts";
import { isMappedIn } from "../../src/page_cache/memory_files.ts";
import { isInMemory } from "../../src/page_cache/memory_files.ts";
import { bringIn } from "../../src/page_cache/prefetch.ts";
import { preadResident, resident, WINDOW } from "../../src/page_cache/resident.ts";
import { runChild } from "../_kit/child.ts";
import { CLOSED_FD, Scope } from "../_kit/fds.ts";
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

/** A file in memory that holds `bytes`. */
function withMemory(bytes: Uint8Array, body: (fd: number) => void): void {
  const scope = new Scope();
  try {
    body(scope.memfd(bytes));
  } finally {
    scope.close();
  }
}

describe("a file in memory, which refuses to tell by RWF_NOWAIT", () => {
  it("is there, with its holes and what lies behind its end", () => {
    withMemory(pattern(WINDOW + 1), (fd) => {
      assert.equal(resident(fd, 0, 1), 1);
      assert.equal(resident(fd, 100, 70 * KIB), 70 * KIB);
      assert.equal(resident(fd, 0, 2 * WINDOW), WINDOW);
      assert.equal(ftruncate(fd, 10 * WINDOW), 0);
      assert.equal(resident(fd, 5 * WINDOW + 5, WINDOW), WINDOW);
      assert.equal(resident(fd, 20 * WINDOW, WINDOW), WINDOW);
      assert.equal(isInMemory(fd, 0, 10 * WINDOW), true);
    });
  });

  it("is read without waiting", () => {
    withMemory(pattern(5000), (fd) => {
      const bytes = new Uint8Array(6000);
      assert.equal(preadResident(fd, bytes, 10), 4990);
      assert.deepEqual(bytes.subarray(0, 4990), pattern(5000).subarray(10));
      assert.equal(preadResident(fd, bytes, 5000), 0);
    });
  });

  it("can be asked by a mapping where cachestat() is refused, but for holes", () => {
    withMemory(pattern(WINDOW), (fd) => {
      assert.equal(isMappedIn(fd, 0, WINDOW), true);
      assert.equal(isMappedIn(fd, 5000, 1), true);
      assert.equal(ftruncate(fd, 2 * WINDOW), 0);
      assert.equal(isMappedIn(fd, WINDOW - 1, 1), true);
      assert.equal(isMappedIn(fd, WINDOW - 1, 2), false);
    });
    assert.equal(isMappedIn(CLOSED_FD, 0, 1), false);
  });

  it("is nothing that is closed", () => assert.equal(isInMemory(CLOSED_FD, 0, 1), false));
});

describe("preadResident()", () => {
  it("reads what was just written, and nothing that the disk has to bring", async () => {
    await withFileAsync(pattern(WINDOW), async (fd) => {
      const bytes = new Uint8Array(1000);
      assert.equal(preadResident(fd, bytes, 5), 1000);
      assert.deepEqual(bytes, pattern(1005).subarray(5));
      await assertWhenDropped(fd, 0, () => Math.max(0, preadResident(fd, bytes, 0)));
    });
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
    const program = new URL("../threads/_fixtures/bring_in.ts", import.meta.url);
    const { code, stdout, stderr } = await runChild(program, {
      env: { SLUICE_WORKER: "/missing.js" },
    });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, `${WINDOW}\n`);
  });
});
