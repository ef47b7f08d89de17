/** Loads a file into the page cache, drops it, and counts its cached pages. @module */

import { setTimeout as sleep } from "node:timers/promises";
import { platform } from "../../../../ffi/platform/mod.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { must } from "../calls.ts";

const DONTNEED = 4;
const CHUNK = 4 * 1024 * 1024;
const RWF_NOWAIT = 8;
/** Attempts to drop. Pages that are still in use stay at first. */
const TRIES = 20;
const PAUSE_MS = 50;
/** Share of a file that may remain. */
const REST = 0.01;

/** Returns the cached bytes of a file; `null` if the kernel does not report them. */
export function cachedBytes(path: string): number | null {
  return withFile(path, (fd) => {
    const counts = new BigUint64Array(5);
    if (raw.cachestat(fd, 0, 0, counts) < 0) return null;
    return Number(counts[0]!) * raw.pageSize();
  });
}

/** Reads the whole file, unless it is cached. */
export function warm(path: string, size: number): void {
  const cached = cachedBytes(path);
  if (cached !== null && cached >= size) return;
  withFile(path, (fd) => {
    const buffer = new Uint8Array(CHUNK);
    while (must(raw.read(fd, buffer), "read") > 0);
  });
}

/** Drops a file; returns `false` if the kernel keeps it, as tmpfs does. */
export async function drop(path: string, size: number): Promise<boolean> {
  for (let tries = 0; tries < TRIES; tries++) {
    const left = withFile(path, (fd) => {
      raw.fsync(fd);
      raw.posixFadvise(fd, 0, 0, DONTNEED);
      return resident(fd, size);
    });
    if (left <= Math.max(size * REST, raw.pageSize())) return true;
    // tmpfs never drops its files. Waiting longer does not help.
    if (tries > 3 && left >= size) return false;
    await sleep(PAUSE_MS);
  }
  return false;
}

function resident(fd: number, size: number): number {
  const counts = new BigUint64Array(5);
  if (raw.cachestat(fd, 0, 0, counts) >= 0) return Number(counts[0]!) * raw.pageSize();
  // Before Linux 6.5, probes one page of each MiB.
  const byte = new Uint8Array(1);
  const step = 1024 * 1024;
  let found = 0;
  for (let at = 0; at < size; at += step) {
    if (raw.preadv2(fd, byte, at, RWF_NOWAIT) === 1) found += Math.min(step, size - at);
  }
  return found;
}

function withFile<T>(path: string, body: (fd: number) => T): T {
  const fd = must(raw.open(path, platform.open.CLOEXEC, 0), "open");
  try {
    return body(fd);
  } finally {
    raw.close(fd);
  }
}
