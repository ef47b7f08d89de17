/** Temporary files for tests. @module */

import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs `body` with an open file that contains `bytes`; deletes the file afterwards. */
export function withFile<T>(bytes: Uint8Array | string, body: (fd: number, path: string) => T): T {
  const file = makeFile(bytes);
  try {
    return body(file.fd, file.path);
  } finally {
    file.remove();
  }
}

/** Like `withFile`, for a body that returns a promise. */
export async function withFileAsync<T>(
  bytes: Uint8Array | string,
  body: (fd: number, path: string) => Promise<T>,
): Promise<T> {
  const file = makeFile(bytes);
  try {
    return await body(file.fd, file.path);
  } finally {
    file.remove();
  }
}

function makeFile(bytes: Uint8Array | string): { fd: number; path: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "sluice-"));
  const path = join(dir, "file");
  writeFileSync(path, bytes);
  const fd = openSync(path, "r+");
  return {
    fd,
    path,
    remove() {
      closeSync(fd);
      rmSync(dir, { recursive: true });
    },
  };
}

/**
 * Bytes that repeat only every 251 positions, so that a shifted copy never compares equal; the
 * first byte is `seed` modulo 251.
 */
export function pattern(length: number, seed = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const period = Math.min(length, 251);
  for (let i = 0; i < period; i++) bytes[i] = (seed + i) % 251;
  // Doubles the bytes already present each time.
  for (let at = 251; at < length; at *= 2) bytes.copyWithin(at, 0, at);
  return bytes;
}
