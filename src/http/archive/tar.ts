/** Archives in the pax format of POSIX.1-2008, which every tar reads. @module */

import { concat } from "../../bytes.ts";
import type { ArchiveEntry, ArchiveWriter } from "./types.ts";

const BLOCK = 512;

/** Bytes of the name and of the prefix in a header. */
const NAME = 100;
const PREFIX = 155;

/** Largest number in 11 octal digits: 8 GiB less one byte. */
const MOST_OCTAL = 0o77777777777;

const encoder = new TextEncoder();

/** Length of the archive in bytes. */
export function tarLength(entries: readonly ArchiveEntry[]): number {
  let length = 2 * BLOCK;
  for (const entry of entries) {
    length += headers(entry).length + entry.size + paddingOf(entry.size);
  }
  return length;
}

/** Creates a writer. */
export function tarWriter(): ArchiveWriter {
  return {
    sums: false,
    before: headers,
    after: ({ size }) => new Uint8Array(paddingOf(size)),
    end: () => new Uint8Array(2 * BLOCK),
  };
}

function paddingOf(size: number): number {
  return (BLOCK - size % BLOCK) % BLOCK;
}

/** The header of an entry, after one with what does not fit into it. */
function headers({ modifiedMs, name, size }: ArchiveEntry): Uint8Array {
  const place = split(name);
  const more = [
    ...place === undefined ? [`path=${name}`] : [],
    ...size > MOST_OCTAL ? [`size=${size}`] : [],
  ];
  const folder = name.endsWith("/");
  const own = header(place ?? ["", fitted(name)], {
    type: folder ? "5" : "0",
    mode: folder ? 0o755 : 0o644,
    size: size > MOST_OCTAL ? 0 : size,
    seconds: Math.min(MOST_OCTAL, Math.max(0, Math.floor(modifiedMs / 1000))),
  });
  if (more.length === 0) return own;
  const records = concat(more.map(record));
  const extended = header(["", "././@PaxHeader"], {
    ...{ type: "x", mode: 0o644, size: records.length, seconds: 0 },
  });
  return concat([extended, records, new Uint8Array(paddingOf(records.length)), own]);
}

/** Prefix and name for a header; `undefined` if the path does not fit, or is not ASCII. */
function split(path: string): readonly [prefix: string, name: string] | undefined {
  if (!/^[ -~]+$/.test(path)) return undefined;
  if (path.length <= NAME) return ["", path];
  // The slash between the two is not stored. The one at the end of a folder belongs to its name.
  for (let at = path.indexOf("/"); at >= 0 && at <= PREFIX; at = path.indexOf("/", at + 1)) {
    const rest = path.length - at - 1;
    if (at > 0 && rest > 0 && rest <= NAME) return [path.slice(0, at), path.slice(at + 1)];
  }
  return undefined;
}

/** A name for programs that do not know pax. */
function fitted(path: string): string {
  return path.replace(/[^ -~]/g, "_").slice(-NAME);
}

/** A record of pax: its own length, a space, the field, a line feed. */
function record(field: string): Uint8Array {
  const bytes = encoder.encode(` ${field}\n`).length;
  let length = bytes + String(bytes).length;
  if (bytes + String(length).length > length) length++;
  return encoder.encode(`${length} ${field}\n`);
}

function header(
  [prefix, name]: readonly [string, string],
  { mode, seconds, size, type }: {
    readonly type: string;
    readonly mode: number;
    readonly size: number;
    readonly seconds: number;
  },
): Uint8Array {
  const bytes = new Uint8Array(BLOCK);
  const put = (text: string, at: number) => void encoder.encodeInto(text, bytes.subarray(at));
  const octal = (value: number, digits: number, at: number) =>
    put(value.toString(8).padStart(digits, "0"), at);
  put(name, 0);
  octal(mode, 7, 100);
  octal(0, 7, 108);
  octal(0, 7, 116);
  octal(size, 11, 124);
  octal(seconds, 11, 136);
  put("        ", 148);
  put(type, 156);
  put("ustar\u000000", 257);
  put(prefix, 345);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return bytes;
}
