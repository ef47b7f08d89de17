import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WINDOW } from "../../src/page_cache/resident.ts";
import { newFileId, ResidencyCache } from "../../src/threads/residency_cache.ts";
import { dropFromCache } from "../_kit/page_cache.ts";
import { withFileAsync } from "../_kit/temp.ts";

const PART = 64 * 1024;
const SIZE = 3 * WINDOW;
/** Milliseconds for which an answer is remembered. */
const VALID_MS = 1000;

interface Fixture {
  readonly fd: number;
  readonly ready: (position: number, length: number) => number;
  readonly warm: (position: number) => void;
  readonly wait: (ms: number) => void;
}

/** Attempts for a test: a fast disk may bring a page between two questions. */
const ATTEMPTS = 10;

/** A file in the page cache, and a cache with a clock that the test moves. */
async function withCache(body: (file: Fixture) => Promise<void> | void): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await withFileAsync(new Uint8Array(SIZE), async (fd) => await body(fixture(fd)));
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

function fixture(fd: number): Fixture {
  let now = 0;
  const cache = new ResidencyCache(() => now);
  const file = { fd, id: newFileId(), size: SIZE, sparse: false };
  return {
    fd,
    ready: (position, length) => cache.ready(file, position, length),
    warm: (position) => cache.warm(file, position),
    wait: (ms) => void (now += ms),
  };
}

/** Drops the file, and asks for a part of it that is not remembered. */
async function assertCold(fd: number, ask: () => number): Promise<void> {
  await dropFromCache(fd);
  assert.equal(ask(), 0);
}

describe("ResidencyCache", () => {
  it("tells what can be sent, at most up to the end of a window", () =>
    withCache(({ ready }) => {
      assert.equal(ready(0, PART), PART);
      assert.equal(ready(PART, SIZE), WINDOW - PART);
      assert.equal(ready(WINDOW, SIZE), WINDOW);
      assert.equal(ready(2 * WINDOW + 1, 10), 10);
    }));

  it("remembers a part for a second, and asks for every other byte", () =>
    withCache(async ({ fd, ready, wait }) => {
      assert.equal(ready(PART, PART), PART);
      assert.equal(ready(2 * PART, 100), 100);
      await dropFromCache(fd);
      assert.equal(ready(PART, PART), PART);
      assert.equal(ready(PART + 5, PART + 90), PART + 90);
      await assertCold(fd, () => ready(PART - 1, 10));
      await assertCold(fd, () => ready(WINDOW - PART, PART));
      wait(VALID_MS);
      await assertCold(fd, () => ready(PART, PART));
    }));

  it("remembers a longer part no longer than the first", () =>
    withCache(async ({ fd, ready, wait }) => {
      ready(0, PART);
      wait(VALID_MS - 1);
      assert.equal(ready(PART, PART), PART);
      wait(1);
      await assertCold(fd, () => ready(PART, PART));
    }));

  it("forgets a part for another one apart from it", () =>
    withCache(async ({ fd, ready }) => {
      ready(0, PART);
      ready(4 * PART, PART);
      await dropFromCache(fd);
      assert.equal(ready(4 * PART, PART), PART);
      await assertCold(fd, () => ready(0, PART));
    }));

  it("remembers a window that has been read, and no other", () =>
    withCache(async ({ fd, ready, warm }) => {
      warm(WINDOW + 5);
      await dropFromCache(fd);
      assert.equal(ready(WINDOW, SIZE), WINDOW);
      await assertCold(fd, () => ready(0, SIZE));
      await assertCold(fd, () => ready(2 * WINDOW, SIZE));
    }));

  it("does not take one file for another", () =>
    withCache(({ fd, ready }) => {
      assert.equal(ready(0, SIZE), WINDOW);
      const cache = new ResidencyCache(() => 0);
      const file = { fd, id: newFileId(), size: SIZE, sparse: false };
      cache.warm({ ...file, id: newFileId() }, 0);
      assert.equal(cache.ready(file, 0, PART), PART);
    }));
});
