/** One archive that is being sent: its bytes and files, step by step. @module */

import { builtin } from "../../../builtins.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { concat } from "../../../bytes.ts";
import type { OpenFile, Root } from "../../files/open_root.ts";
import { lengthOfArchive, writerOfArchive } from "../../archive/formats.ts";
import { ArchiveChanged } from "../../archive/stream.ts";
import type { ArchiveEntry, ArchiveFormat, ArchiveWriter } from "../../archive/types.ts";
import type { Piece } from "./messages.ts";

/** Largest file that is sent from memory, together with its neighbours, in bytes. */
const SMALL_BYTES = 16 * 1024;

/** Bytes in memory after which a step ends. */
const STEP_BYTES = 128 * 1024;

/** Bytes whose CRC one step computes at most: other archives have their turn then. */
const SUMMED_BYTES = 256 * 1024 * 1024;

const BUFFER_BYTES = 256 * 1024;

let buffer: Uint8Array | undefined;

/** A file whose CRC is being computed. */
interface Summed {
  readonly file: OpenFile;
  at: number;
  crc: number;
}

/** What was sent last, to notice that it has changed meanwhile. */
interface Sent {
  readonly path: string;
  readonly mtimeNs: bigint;
  readonly size: number;
}

/** Opens the files of an archive one after the other. */
export class ArchiveReader {
  /** Length of the archive in bytes. */
  readonly length: number;
  readonly #root: Root;
  readonly #entries: readonly ArchiveEntry[];
  readonly #writer: ArchiveWriter;
  #next = 0;
  #summed: Summed | null = null;
  #last: Sent | null = null;
  #pending: Uint8Array[] = [];
  #ended = false;

  constructor(root: Root, entries: readonly ArchiveEntry[], format: ArchiveFormat) {
    this.#root = root;
    this.#entries = entries;
    this.#writer = writerOfArchive(format);
    this.length = lengthOfArchive(entries, format);
  }

  /**
   * The next piece; after it has been sent, call again. Throws if a file is gone or has changed: its
   * length has been announced.
   */
  step(): Piece {
    if (this.#last !== null) this.#check(this.#last);
    this.#last = null;
    let bytes = this.#pending.reduce((sum, { length }) => sum + length, 0);
    while (bytes < STEP_BYTES) {
      const entry = this.#entries[this.#next];
      if (entry === undefined) {
        if (!this.#ended) this.#pending.push(this.#writer.end());
        this.#ended = true;
        return { kind: "end", bytes: this.#take() };
      }
      if (entry.size === 0 || entry.size > SMALL_BYTES) {
        const file = entry.name.endsWith("/") || entry.size === 0 ? null : this.#open(entry);
        if (file !== null && !this.#sum(entry, file)) return { kind: "wait", bytes: EMPTY };
        this.#begin(entry, file === null ? 0 : this.#summed?.crc ?? 0);
        if (file !== null) return this.#send(entry, file);
      } else this.#small(entry);
      bytes = this.#pending.reduce((sum, { length }) => sum + length, 0);
    }
    return { kind: "bytes", bytes: this.#take() };
  }

  /** Closes what is open. */
  close(): void {
    this.#summed?.file.close();
    this.#summed = null;
  }

  #take(): Uint8Array {
    return concat(this.#pending.splice(0));
  }

  #begin(entry: ArchiveEntry, crc: number): void {
    this.#pending.push(this.#writer.before(entry, crc));
    this.#next++;
  }

  #send(entry: ArchiveEntry, { fd, mtimeNs, remote }: OpenFile): Piece {
    this.#summed = null;
    const bytes = this.#take();
    this.#pending.push(this.#writer.after(entry));
    this.#last = { path: entry.path, mtimeNs, size: entry.size };
    return { kind: "file", bytes, fd, size: entry.size, remote: remote === true };
  }

  #small(entry: ArchiveEntry): void {
    const file = this.#open(entry);
    try {
      const bytes = new Uint8Array(entry.size);
      if (readAt(file.fd, bytes, 0) !== entry.size) throw new ArchiveChanged(entry.path);
      this.#begin(entry, this.#writer.sums ? builtin("zlib").crc32(bytes) : 0);
      this.#pending.push(bytes, this.#writer.after(entry));
    } finally {
      file.close();
    }
  }

  #open({ path, size }: ArchiveEntry): OpenFile {
    if (this.#summed !== null) return this.#summed.file;
    const file = this.#root.openNow!(path);
    if (typeof file === "number") throw new ArchiveChanged(path);
    if (!file.folder && file.size === size && file.made !== true) return file;
    file.close();
    throw new ArchiveChanged(path);
  }

  /** Computes a part of the CRC; true when it is complete. Keeps the file for the next step. */
  #sum(entry: ArchiveEntry, file: OpenFile): boolean {
    if (!this.#writer.sums) return true;
    const { crc32 } = builtin("zlib");
    const summed = this.#summed ??= { file, at: 0, crc: 0 };
    buffer ??= new Uint8Array(BUFFER_BYTES);
    const end = Math.min(entry.size, summed.at + SUMMED_BYTES);
    while (summed.at < end) {
      const part = buffer.subarray(0, Math.min(BUFFER_BYTES, end - summed.at));
      if (readAt(file.fd, part, summed.at) !== part.length) throw new ArchiveChanged(entry.path);
      summed.crc = crc32(part, summed.crc);
      summed.at += part.length;
    }
    return summed.at === entry.size;
  }

  /** The file that was sent must be the one that its header describes. */
  #check({ mtimeNs, path, size }: Sent): void {
    const file = this.#root.openNow!(path);
    if (typeof file === "number") throw new ArchiveChanged(path);
    const same = file.mtimeNs === mtimeNs && file.size === size;
    file.close();
    if (!same) throw new ArchiveChanged(path);
  }
}

const EMPTY = new Uint8Array(0);

/** Fills `target` from a position; returns the number of bytes read. */
function readAt(fd: number, target: Uint8Array, position: number): number {
  let read = 0;
  while (read < target.length) {
    const count = raw.pread(fd, target.subarray(read), position + read);
    if (count <= 0) break;
    read += count;
  }
  return read;
}
