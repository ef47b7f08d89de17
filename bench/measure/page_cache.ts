/** Drops files from the page cache, and checks that they are gone. @module */

import { closeSync, fstatSync, fsyncSync, openSync } from "node:fs";
import { libc } from "../../src/sys/libc.ts";
import * as raw from "../../src/sys/raw/mod.ts";
import { delay } from "../processes.ts";

const POSIX_FADV_DONTNEED = 4;
const RWF_NOWAIT = 8;

/** Distance between probed pages. */
const STRIDE = 1024 * 1024;

/** Attempts, with pauses. Pages that are still in use stay at first. */
const TRIES = 20;
const PAUSE_MS = 100;
/** Share of a file that may remain. */
const REST = 0.01;

/**
 * Drops a file from the page cache.
 *
 * @throws {Error} When the kernel keeps the file. A cold measurement would then be warm.
 */
export async function drop(path: string): Promise<void> {
  const fd = openSync(path, "r");
  try {
    // Dirty pages would stay.
    fsyncSync(fd);
    for (let tries = 1;; tries++) {
      libc().posix_fadvise(fd, 0n, 0n, POSIX_FADV_DONTNEED);
      const share = residentShare(fd);
      if (share <= REST) return;
      if (tries === TRIES) {
        const percent = Math.round(share * 100);
        throw new Error(`Cannot drop "${path}" from the page cache: ${percent} % of it stayed`);
      }
      await delay(PAUSE_MS);
    }
  } finally {
    closeSync(fd);
  }
}

/** Returns the cached share of a file, from 0 to 1. */
function residentShare(fd: number): number {
  const { size } = fstatSync(fd);
  const counts = new BigUint64Array(5);
  if (size === 0) return 0;
  // Unlike a read with RWF_NOWAIT, cachestat (Linux 6.5) starts no readahead.
  if (raw.cachestat(fd, 0, 0, counts) >= 0) return Number(counts[0]) * raw.pageSize() / size;
  const one = new Uint8Array(1);
  let asked = 0;
  let found = 0;
  for (let offset = 0; offset < size; offset += STRIDE) {
    asked++;
    if (raw.preadv2(fd, one, offset, RWF_NOWAIT) === 1) found++;
  }
  return found / asked;
}
