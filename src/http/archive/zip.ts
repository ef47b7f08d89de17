/**
 * ZIP archives without compression, as in APPNOTE.TXT 6.3.10 of PKWARE; with its ZIP64 fields where a
 * number needs more than 32 bits.
 *
 * @module
 */

import { concat } from "../../bytes.ts";
import type { ArchiveEntry, ArchiveWriter } from "./types.ts";

const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const END64_BYTES = 56 + 20;

/** An extra field with the time in UTC; the other times have no zone, and even seconds only. */
const TIME_BYTES = 9;
const TIME_ID = 0x5455;
const ZIP64_ID = 1;

/** Numbers from here on stand in the ZIP64 fields. */
const MOST_32 = 0xffff_ffff;
const MOST_16 = 0xffff;

/** Names are in UTF-8. */
const UTF8 = 0x800;

/** Made on Unix, version 4.5: the modes of files are in the attributes. */
const MADE_BY = 3 << 8 | 45;

const encoder = new TextEncoder();

/** Length of the archive in bytes. */
export function zipLength(entries: readonly ArchiveEntry[]): number {
  let offset = 0;
  let central = 0;
  for (const { name, size } of entries) {
    const nameBytes = encoder.encode(name).length;
    central += CENTRAL_BYTES + nameBytes + TIME_BYTES + centralExtra(size, offset);
    offset += LOCAL_BYTES + nameBytes + TIME_BYTES + (size >= MOST_32 ? 20 : 0) + size;
  }
  return offset + central + endBytes(entries.length, central, offset);
}

/** Creates a writer. */
export function zipWriter(): ArchiveWriter {
  const central: Uint8Array[] = [];
  let offset = 0;
  return {
    sums: true,
    before(entry, crc) {
      central.push(centralHeader(entry, crc, offset));
      const local = localHeader(entry, crc);
      offset += local.length + entry.size;
      return local;
    },
    after: () => new Uint8Array(0),
    end() {
      const records = concat(central);
      return concat([records, endRecords(central.length, records.length, offset)]);
    },
  };
}

/** Bytes of the ZIP64 field of a central header. */
function centralExtra(size: number, offset: number): number {
  const large = (size >= MOST_32 ? 16 : 0) + (offset >= MOST_32 ? 8 : 0);
  return large === 0 ? 0 : 4 + large;
}

function endBytes(count: number, central: number, offset: number): number {
  return END_BYTES + (isLarge(count, central, offset) ? END64_BYTES : 0);
}

function isLarge(count: number, central: number, offset: number): boolean {
  return count >= MOST_16 || central >= MOST_32 || offset >= MOST_32;
}

function localHeader({ modifiedMs, name, size }: ArchiveEntry, crc: number): Uint8Array {
  const large = size >= MOST_32;
  return structure(
    LOCAL_BYTES,
    (view) => {
      view.setUint32(0, 0x04034b50, true);
      common(view, 4, { large, crc, modifiedMs, size });
    },
    name,
    [...large ? [zip64([size, size])] : [], timeField(modifiedMs)],
  );
}

function centralHeader(
  { modifiedMs, name, size }: ArchiveEntry,
  crc: number,
  offset: number,
): Uint8Array {
  const sizes = size >= MOST_32 ? [size, size] : [];
  const numbers = [...sizes, ...offset >= MOST_32 ? [offset] : []];
  const folder = name.endsWith("/");
  return structure(
    CENTRAL_BYTES,
    (view) => {
      view.setUint32(0, 0x02014b50, true);
      view.setUint16(4, MADE_BY, true);
      common(view, 6, { large: numbers.length > 0, crc, modifiedMs, size });
      view.setUint32(38, (folder ? 0o40755 : 0o100644) * 0x10000 + (folder ? 0x10 : 0), true);
      view.setUint32(42, Math.min(offset, MOST_32), true);
    },
    name,
    [...numbers.length > 0 ? [zip64(numbers)] : [], timeField(modifiedMs)],
  );
}

/** Fields that both headers have, in this order. */
function common(
  view: DataView,
  at: number,
  { crc, large, modifiedMs, size }: {
    readonly large: boolean;
    readonly crc: number;
    readonly modifiedMs: number;
    readonly size: number;
  },
): void {
  view.setUint16(at, large ? 45 : 20, true);
  view.setUint16(at + 2, UTF8, true);
  const [time, date] = dosTime(modifiedMs);
  view.setUint16(at + 6, time, true);
  view.setUint16(at + 8, date, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, Math.min(size, MOST_32), true);
  view.setUint32(at + 18, Math.min(size, MOST_32), true);
}

/** A header with the name and the extra fields; the lengths of both stand before offset 30. */
function structure(
  length: number,
  fill: (view: DataView) => void,
  name: string,
  extra: readonly Uint8Array[],
): Uint8Array {
  const view = new DataView(new ArrayBuffer(length));
  fill(view);
  const nameBytes = encoder.encode(name);
  const fields = concat(extra);
  const at = length === LOCAL_BYTES ? 26 : 28;
  view.setUint16(at, nameBytes.length, true);
  view.setUint16(at + 2, fields.length, true);
  return concat([new Uint8Array(view.buffer), nameBytes, fields]);
}

function zip64(numbers: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 + 8 * numbers.length));
  view.setUint16(0, ZIP64_ID, true);
  view.setUint16(2, 8 * numbers.length, true);
  numbers.forEach((number, i) => view.setBigUint64(4 + 8 * i, BigInt(number), true));
  return new Uint8Array(view.buffer);
}

function timeField(modifiedMs: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(TIME_BYTES));
  view.setUint16(0, TIME_ID, true);
  view.setUint16(2, TIME_BYTES - 4, true);
  view.setUint8(4, 1);
  const seconds = Math.floor(modifiedMs / 1000);
  view.setInt32(5, Math.min(0x7fff_ffff, Math.max(-0x8000_0000, seconds)), true);
  return new Uint8Array(view.buffer);
}

/** Time and date of MS-DOS, in UTC: from 1980 to 2107. */
function dosTime(modifiedMs: number): [time: number, date: number] {
  const date = new Date(modifiedMs);
  const year = date.getUTCFullYear();
  if (!(year >= 1980 && year <= 2107)) return [0, 1 << 5 | 1];
  return [
    date.getUTCHours() << 11 | date.getUTCMinutes() << 5 | date.getUTCSeconds() >> 1,
    (year - 1980) << 9 | (date.getUTCMonth() + 1) << 5 | date.getUTCDate(),
  ];
}

function endRecords(count: number, central: number, offset: number): Uint8Array {
  const large = isLarge(count, central, offset);
  const view = new DataView(new ArrayBuffer(endBytes(count, central, offset)));
  if (large) {
    view.setUint32(0, 0x06064b50, true);
    view.setBigUint64(4, 44n, true);
    view.setUint16(12, MADE_BY, true);
    view.setUint16(14, 45, true);
    for (const at of [24, 32]) view.setBigUint64(at, BigInt(count), true);
    view.setBigUint64(40, BigInt(central), true);
    view.setBigUint64(48, BigInt(offset), true);
    view.setUint32(56, 0x07064b50, true);
    view.setBigUint64(64, BigInt(offset + central), true);
    view.setUint32(72, 1, true);
  }
  const at = large ? END64_BYTES : 0;
  view.setUint32(at, 0x06054b50, true);
  view.setUint16(at + 8, Math.min(count, MOST_16), true);
  view.setUint16(at + 10, Math.min(count, MOST_16), true);
  view.setUint32(at + 12, Math.min(central, MOST_32), true);
  view.setUint32(at + 16, Math.min(offset, MOST_32), true);
  return new Uint8Array(view.buffer);
}
