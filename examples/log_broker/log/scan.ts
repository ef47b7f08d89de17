/** Reads the batches of a segment, and finds where the intact ones end. @module */

import { Buffer } from "node:buffer";
import { readSync } from "node:fs";
import { type Batch, batchAt, HEADER_BYTES, isIntact } from "./batch.ts";

const CHUNK = 1024 * 1024;

/**
 * Calls `each` for the intact batches of the first `size` bytes. Returns where they end.
 *
 * Batches follow each other without a gap, so whatever a kill or a power cut leaves at the end is
 * recognized: an incomplete batch, zeroes, or old data.
 */
export function scan(
  fd: number,
  base: number,
  size: number,
  each: (batch: Batch, position: number) => void,
): number {
  let buffer = Buffer.allocUnsafe(CHUNK);
  let [start, held] = [0, 0];
  let next = base;
  /** Makes the bytes from `position` available; returns where they are in the buffer, or -1. */
  const bring = (position: number, count: number): number => {
    if (position + count > size) return -1;
    if (position + count <= start + held) return position - start;
    if (count > buffer.length) buffer = Buffer.allocUnsafe(count);
    [start, held] = [position, 0];
    while (held < count) {
      const got = readSync(fd, buffer, held, buffer.length - held, position + held);
      if (got === 0) return -1;
      held += got;
    }
    return 0;
  };
  for (let position = 0;;) {
    let at = bring(position, HEADER_BYTES);
    if (at < 0) return position;
    const batch = batchAt(buffer, at);
    if (batch.size < HEADER_BYTES || batch.base !== next || batch.next <= next) return position;
    at = bring(position, batch.size);
    if (at < 0 || !isIntact(buffer, at, batch.size)) return position;
    each(batch, position);
    position += batch.size;
    next = batch.next;
  }
}
