/** The bytes of an archive, read by the runtime. @module */

import { builtin } from "../../builtins.ts";
import { concat } from "../../bytes.ts";
import type { OpenFile, Root } from "../files/root.ts";
import { writerOfArchive } from "./formats.ts";
import type { ArchiveEntry, ArchiveFormat } from "./types.ts";

/** Bytes that are read at once, and handed over together, if there are as many. */
const PIECE_BYTES = 128 * 1024;

/** A file is gone or has changed: the length that was announced is wrong. */
export class ArchiveChanged extends Error {
  constructor(path: string) {
    super(`${path} has changed while the archive was sent`);
  }
}

/** Yields the bytes of an archive. Opens one file at a time, and closes it if the caller stops. */
export async function* archiveBytes(
  root: Root,
  entries: readonly ArchiveEntry[],
  format: ArchiveFormat,
): AsyncGenerator<Uint8Array, void, void> {
  let small: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces(root, entries, format)) {
    small.push(piece);
    bytes += piece.length;
    if (bytes < PIECE_BYTES) continue;
    yield concat(small);
    small = [];
    bytes = 0;
  }
  yield concat(small);
}

async function* pieces(
  root: Root,
  entries: readonly ArchiveEntry[],
  format: ArchiveFormat,
): AsyncGenerator<Uint8Array, void, void> {
  const writer = writerOfArchive(format);
  for (const entry of entries) {
    const { path, size } = entry;
    // A folder has no bytes of its own.
    if (size === 0) {
      yield writer.before(entry, 0);
      yield writer.after(entry);
      continue;
    }
    const file = await opened(root, entry);
    try {
      yield writer.before(entry, writer.sums ? await sumOf(file, path) : 0);
      for await (const piece of bytesOf(file, path)) yield piece;
    } finally {
      file.close();
    }
    await check(root, entry, file);
    yield writer.after(entry);
  }
  yield writer.end();
}

async function opened(root: Root, { path, size }: ArchiveEntry): Promise<OpenFile> {
  const file = await root.open(path);
  if (typeof file === "number") throw new ArchiveChanged(path);
  if (!file.folder && file.size === size && file.made !== true) return file;
  file.close();
  throw new ArchiveChanged(path);
}

/** The file that was sent must be the one that its header describes. */
async function check(root: Root, entry: ArchiveEntry, { mtimeNs }: OpenFile): Promise<void> {
  const file = await opened(root, entry);
  file.close();
  if (file.mtimeNs !== mtimeNs) throw new ArchiveChanged(entry.path);
}

/** CRC-32 of a file. */
async function sumOf(file: OpenFile, path: string): Promise<number> {
  const { crc32 } = builtin("zlib");
  let crc = 0;
  for await (const piece of bytesOf(file, path)) crc = crc32(piece, crc);
  return crc;
}

async function* bytesOf(
  { fd, size }: OpenFile,
  path: string,
): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < size;) {
    const piece = await readAt(fd, at, Math.min(PIECE_BYTES, size - at));
    if (piece.length === 0) throw new ArchiveChanged(path);
    yield piece;
    at += piece.length;
  }
}

function readAt(fd: number, position: number, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  return new Promise((resolve, reject) => {
    builtin("fs").read(fd, bytes, 0, count, position, (error, read) => {
      if (error) reject(error);
      else resolve(bytes.subarray(0, read));
    });
  });
}
