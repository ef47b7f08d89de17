import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PORTION, ReadAhead } from "../../../src/page_cache/read_ahead.ts";
import * as sys from "../../../src/sys/mod.ts";
import { WINDOW } from "../../../src/page_cache/resident.ts";
import { Scope } from "../../_kit/fds.ts";
import { assertWhenDropped } from "../../_kit/page_cache.ts";
import { pattern, withFileAsync } from "../../_kit/temp.ts";

describe("a gate", () => {
  it("opens at once for what is in the page cache, one window at a time", () =>
    withFileAsync(pattern(3 * WINDOW), async (fd) => {
      const gate = new ReadAhead(fd, 0);
      assert.equal(gate.open(0, 100), 100);
      assert.equal(gate.open(100, 3 * WINDOW), 100 + WINDOW - 100);
      await gate.idle;
    }));

  it("opens at once for a file that is memory", () => {
    const scope = new Scope();
    try {
      const gate = new ReadAhead(scope.memfd(pattern(3 * WINDOW)), 0);
      for (let at = 0; at < 3 * WINDOW; at += WINDOW) assert.equal(gate.open(at, WINDOW), WINDOW);
    } finally {
      scope.close();
    }
  });

  it("stays shut for what is not, until a thread has read it, which then goes ahead", () =>
    withFileAsync(pattern(4 * PORTION), async (fd) => {
      const size = 4 * PORTION;
      await assertWhenDropped(fd, 0, () => new ReadAhead(fd, 0).open(0, WINDOW));
      const gate = new ReadAhead(fd, 0);
      await gate.fill(0, size);
      assert.equal(gate.open(0, size), PORTION);
      // Asked for the first portion it has the second one read.
      assert.equal(gate.open(WINDOW, size), PORTION - WINDOW);
      await gate.idle;
      assert.equal(gate.open(WINDOW, size), 2 * PORTION - WINDOW);
      // It reads no more until the reader comes near.
      await gate.idle;
      assert.equal(gate.open(WINDOW, size), 2 * PORTION - WINDOW);
      assert.equal(gate.open(2 * PORTION, size), 0);
      await gate.fill(2 * PORTION, size - 2 * PORTION);
      assert.equal(gate.open(2 * PORTION, 10), 10);
      await gate.idle;
    }));

  it("is asked directly again after a stretch that need not be waited for", () =>
    withFileAsync(new Uint8Array(40 * PORTION), async (fd) => {
      const gate = new ReadAhead(fd, 0);
      let position = 0;
      for (let portions = 0; portions < 36; portions++) {
        await gate.idle;
        const length = gate.open(position, PORTION);
        if (length === 0) await gate.fill(position, 40 * PORTION - position);
        position += length;
      }
      await gate.idle;
      // No thread is sent, and yet it opens.
      assert.ok(gate.open(39 * PORTION, WINDOW) > 0, "opens behind what was read");
    }));

  it("tells of a reading ahead that failed when somebody gets there, not before", () =>
    withFileAsync(pattern(3 * PORTION), async (file) => {
      // A number that no other descriptor gets meanwhile.
      const fd = sys.dupCloexec(file, 700);
      const gate = new ReadAhead(fd, 0);
      await gate.fill(0, 3 * PORTION);
      sys.close(fd);
      assert.equal(gate.open(0, PORTION), PORTION);
      await gate.idle;
      assert.equal(gate.open(PORTION, PORTION), 0);
      await assert.rejects(gate.fill(PORTION, 2 * PORTION), { code: "EBADF" });
    }));
});
