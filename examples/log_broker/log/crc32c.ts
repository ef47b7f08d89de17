/** CRC-32C (Castagnoli), eight bytes at a time: "slicing-by-8". @module */

import type { Buffer } from "node:buffer";

const REVERSED_POLYNOMIAL = 0x82f63b78;

/** `TABLES[256 * k + byte]`: the effect of a byte that has `k` bytes after it. */
const TABLES = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? REVERSED_POLYNOMIAL : 0);
  TABLES[byte] = crc;
}
for (let i = 256; i < TABLES.length; i++) {
  const before = TABLES[i - 256]!;
  TABLES[i] = (before >>> 8) ^ TABLES[before & 255]!;
}

/** The checksum of `bytes` from `start` to `end`, unsigned. */
export function crc32c(bytes: Buffer, start: number, end: number): number {
  let crc = -1;
  let i = start;
  for (const last = end - 7; i < last; i += 8) {
    const low = crc ^
      (bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24);
    crc = TABLES[1792 + (low & 255)]! ^ TABLES[1536 + (low >>> 8 & 255)]! ^
      TABLES[1280 + (low >>> 16 & 255)]! ^ TABLES[1024 + (low >>> 24)]! ^
      TABLES[768 + bytes[i + 4]!]! ^ TABLES[512 + bytes[i + 5]!]! ^
      TABLES[256 + bytes[i + 6]!]! ^ TABLES[bytes[i + 7]!]!;
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[i]!) & 255]!;
  return ~crc >>> 0;
}
