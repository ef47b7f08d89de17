/** Makes files cold. @module */

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { FileAdvice } from "../../src/sys/flags/file.ts";
import { cachestat, fsync, posixFadvise } from "../../src/sys/raw/mod.ts";

/** Drops a file from the page cache. Sometimes a page is in use, and the kernel keeps it. */
export async function dropFromCache(fd: number): Promise<void> {
  const counts = new BigUint64Array(5);
  for (let i = 0; i < 50; i++) {
    assert.equal(fsync(fd), 0);
    assert.equal(posixFadvise(fd, 0, 0, FileAdvice.DONTNEED), 0);
    // Unlike a read with RWF_NOWAIT, this does not start readahead.
    if (cachestat(fd, 0, 0, counts) < 0 || counts[0] === 0n) return;
    await sleep(10);
  }
  assert.fail("the file stays in the page cache");
}

/**
 * Drops a file and asks until the answer is `wanted`. The question itself makes the kernel read,
 * and on a busy machine a fast disk may finish before the question ends.
 */
export async function assertWhenDropped(
  fd: number,
  wanted: number,
  ask: () => number,
): Promise<void> {
  const answers: number[] = [];
  do {
    await dropFromCache(fd);
    answers.push(ask());
  } while (answers.at(-1) !== wanted && answers.length < 50);
  assert.equal(answers.at(-1), wanted, `answers: ${answers}`);
}
