/** Copying a file past the page cache. @module */

import { rename, rm } from "node:fs/promises";
import { AlignedBuffer, DirectFile } from "../../src/mod.ts";

/** How a backup is watched and stopped. */
export interface BackupOptions {
  signal?: AbortSignal | undefined;
  /** Called after each block. */
  onProgress?: ((bytes: number, total: number) => void) | undefined;
}

/** What a backup has done. */
export interface Backup {
  readonly bytes: number;
  readonly durationMs: number;
  /** How the bytes went. */
  readonly how: string;
}

/**
 * Bytes of one read and one write. In one process, in turns, 1 GiB went at 550 to 660 MB/s with 1 MiB,
 * at 560 to 790 with 4 MiB and at 840 to 980 with 8 MiB.
 */
const BLOCK = 8 * 1024 * 1024;

/** Blocks under way: while one is written the next ones are read. */
const DEPTH = 4;

/** Copies `source` to `target`, which is replaced when the copy is complete and on the disk. */
export async function backUp(
  source: string,
  target: string,
  { signal, onProgress }: BackupOptions = {},
): Promise<Backup> {
  const startedMs = performance.now();
  const part = `${target}.part`;
  const from = await DirectFile.open(source);
  try {
    const to = await DirectFile.open(part, { access: "write", create: true, truncate: true });
    try {
      const total = from.size;
      const bytes = await copy(from, to, { signal, onProgress });
      await to.sync();
      await to.close();
      await rename(part, target);
      if (bytes !== total) throw new Error(`Cannot back up "${source}": it changed meanwhile`);
      const how = `from ${from.mode} to ${to.mode}, by ${from.engine}`;
      return { bytes, durationMs: performance.now() - startedMs, how };
    } catch (error) {
      await to.close();
      await rm(part, { force: true });
      throw error;
    }
  } finally {
    await from.close();
  }
}

/** Copies all bytes. Each worker reads a block into its memory and writes it from there. */
export async function copy(
  from: DirectFile,
  to: DirectFile,
  { signal, onProgress }: BackupOptions = {},
): Promise<number> {
  const total = from.size;
  let next = 0;
  let bytes = 0;
  const worker = async () => {
    const buffer = AlignedBuffer.allocate(BLOCK);
    try {
      while (next < total) {
        const offset = next;
        next += BLOCK;
        const count = await from.read(buffer.bytes, offset, { signal });
        await to.write(buffer.bytes.subarray(0, count), offset, { signal });
        bytes += count;
        onProgress?.(bytes, total);
      }
    } finally {
      buffer.release();
    }
  };
  const workers = Array.from({ length: DEPTH }, worker);
  // All of them, for their memory is in use until they have ended.
  const results = await Promise.allSettled(workers);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return bytes;
}
