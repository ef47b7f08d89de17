/** Copies a file past the page cache. @module */

import { rename, rm } from "node:fs/promises";
import { AlignedBuffer, DirectFile } from "../../src/mod.ts";

/** Options of {@linkcode backUp}. */
export interface BackupOptions {
  signal?: AbortSignal | undefined;
  /** Called after each block. */
  onProgress?: ((bytes: number, total: number) => void) | undefined;
}

/** Result of a backup. */
export interface Backup {
  readonly bytes: number;
  readonly durationMs: number;
  /** How the bytes were moved. */
  readonly how: string;
}

/** Bytes of one read and one write. Larger blocks are faster on the disks that were tried. */
const BLOCK = 8 * 1024 * 1024;

/** Blocks in flight: the next ones are read while one is written. */
const DEPTH = 4;

/** Copies `source` to `target`, which it replaces when the copy is complete and on the disk. */
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

/** Copies all bytes. Each worker reads a block into its memory and writes it. */
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
  // Waits for all workers, because they use their memory until they end.
  const results = await Promise.allSettled(workers);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return bytes;
}
