/**
 * Record batches of version 2: their header, and the checks before one is stored.
 *
 * The checksum starts after it, so the broker sets the offset and the epoch of the leader without
 * touching what the producer has signed. The records stay as they are, compressed or not.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { Code, Refusal } from "../errors.ts";
import { readInt64 } from "../wire.ts";
import { crc32c } from "./crc32c.ts";

/** Bytes of a batch before its records. */
export const HEADER_BYTES = 61;
/** Bytes that the length field does not count. */
const PREFIX_BYTES = 12;
const CRC_AT = 17;
const SIGNED_AT = 21;
const TRANSACTIONAL_OR_CONTROL = 0x30;

/** What the log needs to know of a batch. */
export interface Batch {
  readonly base: number;
  /** Offset after its last record. */
  readonly next: number;
  /** Bytes, all included. */
  readonly size: number;
  readonly maxTimestamp: number;
  /** -1 without idempotence. */
  readonly producer: number;
  readonly epoch: number;
  readonly sequence: number;
}

/** Reads the header at `at`; the first {@linkcode HEADER_BYTES} must be there. */
export function batchAt(bytes: Buffer, at: number): Batch {
  const base = readInt64(bytes, at);
  return {
    base,
    next: base + bytes.readInt32BE(at + 23) + 1,
    size: PREFIX_BYTES + bytes.readInt32BE(at + 8),
    maxTimestamp: readInt64(bytes, at + 35),
    producer: readInt64(bytes, at + 43),
    epoch: bytes.readInt16BE(at + 51),
    sequence: bytes.readInt32BE(at + 53),
  };
}

/** Whether the batch at `at` is complete and its checksum is right. */
function isIntact(bytes: Buffer, at: number, size: number): boolean {
  return bytes[at + 16] === 2 &&
    crc32c(bytes, at + SIGNED_AT, at + size) === bytes.readUInt32BE(at + CRC_AT);
}

/**
 * Calls `each` for the intact batches at the start of a segment.
 *
 * Batches follow each other without a gap, so whatever a kill or a power cut leaves at the end is
 * recognized: an incomplete batch, zeroes, or old data.
 */
export function eachIntact(bytes: Buffer, base: number, each: (batch: Batch) => void): void {
  let next = base;
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const batch = batchAt(bytes, at);
    const follows = batch.base === next && batch.next > next && batch.size >= HEADER_BYTES;
    if (!follows || at + batch.size > bytes.length || !isIntact(bytes, at, batch.size)) return;
    each(batch);
    at += batch.size;
    next = batch.next;
  }
}

/** Checks what a producer sent: one intact batch. */
export function checkBatch(bytes: Buffer, maxBytes: number): void {
  if (bytes.length > maxBytes) refuse(Code.MESSAGE_TOO_LARGE, `${bytes.length} bytes`);
  if (bytes.length < HEADER_BYTES) refuse(Code.CORRUPT_MESSAGE, "a batch without a header");
  if (bytes[16] !== 2) refuse(Code.UNSUPPORTED_FOR_MESSAGE_FORMAT, `version ${bytes[16]}`);
  const { size } = batchAt(bytes, 0);
  if (size < HEADER_BYTES || size > bytes.length) refuse(Code.CORRUPT_MESSAGE, `${size} bytes`);
  if (size < bytes.length) refuse(Code.INVALID_RECORD, "more than one batch");
  if (!isIntact(bytes, 0, size)) refuse(Code.CORRUPT_MESSAGE, "a wrong checksum");
  const count = bytes.readInt32BE(57);
  const attributes = bytes.readInt16BE(SIGNED_AT);
  if (count < 1 || bytes.readInt32BE(23) !== count - 1) refuse(Code.INVALID_RECORD, "its count");
  if (attributes & TRANSACTIONAL_OR_CONTROL) refuse(Code.INVALID_RECORD, "a transaction");
}

/** Gives the batch its place in the log. */
export function place(bytes: Buffer, base: number): void {
  bytes.writeBigInt64BE(BigInt(base));
  bytes.writeInt32BE(0, 12);
}

function refuse(code: number, found: string): never {
  throw new Refusal(code, `Cannot store a batch: ${found}`);
}
