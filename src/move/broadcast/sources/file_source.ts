/** Chunks of a file. @module */

import { TruncatedError } from "../../../errors.ts";
import { knownSize } from "../../../threads/blocking/files.ts";
import { WINDOW } from "../../../page_cache/resident.ts";
import { newFileId, type ResidentFile } from "../../../threads/residency_cache.ts";
import { type End, goBuffered, verify } from "../../engine/endpoint.ts";
import { readSome } from "../../engine/portable_copy.ts";
import { ReadAhead } from "../../../page_cache/read_ahead.ts";
import { bytesChunk } from "./bytes_source.ts";
import type { Chunk, ChunkSource, WriteTaker } from "../types.ts";
import { PendingBytesWrite, PendingFileWrite } from "../pending_writes.ts";

/**
 * A file. Each target sends the same range by its own sendfile(2), which costs less CPU time than
 * tee(2), than one read and many writes, and than streams: see `npm run bench -- broadcast`.
 * `MOST_SHARED` limits how far the targets drift apart.
 */
export class FileSource implements ChunkSource {
  readonly total: number;
  readonly live = false;
  readonly #end: End;
  readonly #file: ResidentFile;
  readonly #gate: ReadAhead;
  readonly #stop: number;
  readonly #copies: boolean;
  #position: number;

  constructor(end: End, range: { start: number; length: number }, copies: boolean) {
    goBuffered(end, "source");
    this.#end = end;
    // Holes don't matter: the whole chunk is probed before it is offered.
    this.#file = { fd: end.fd, id: newFileId(), size: end.size, sparse: false };
    this.#gate = new ReadAhead(end.fd, range.start);
    this.#position = range.start;
    this.#stop = range.start + range.length;
    this.#copies = copies;
    this.total = range.length;
  }

  async ready(): Promise<void> {
    verify(this.#end, 0);
    const left = this.#stop - this.#position;
    if (left === 0 || this.#gate.open(this.#position, Math.min(left, WINDOW)) > 0) return;
    await this.#gate.fill(this.#position, left);
  }

  take(count: number): Chunk | "end" | null {
    const left = this.#stop - this.#position;
    if (left === 0) return "end";
    const length = this.#gate.open(this.#position, Math.min(count, left, WINDOW));
    if (length === 0) return null;
    const start = this.#position;
    this.#position += length;
    const file = this.#file;
    if (this.#copies) return bytesChunk(this.#read(start, length));
    let bytes: Uint8Array | undefined;
    return {
      length,
      method: "sendfile",
      laneFor: (taker: WriteTaker) =>
        taker.splices
          ? new PendingFileWrite(file, start, length, taker.toPipe)
          : new PendingBytesWrite(bytes ??= this.#read(start, length), taker),
      settle() {},
    };
  }

  /**
   * The position of the slowest target is not known exactly, so report the end of the file that all
   * were offered.
   */
  short(): Error {
    const size = Math.max(0, knownSize(this.#end.fd));
    const begun = this.#stop - this.total;
    return truncated(this.#end.given, Math.max(0, size - begun), this.total);
  }

  #read(start: number, length: number): Uint8Array {
    const write = new PendingFileWrite(this.#file, start, length, false);
    const bytes = write.takeOut(length);
    if (bytes.length < length) throw this.short();
    return bytes;
  }

  async close(): Promise<void> {
    await this.#gate.idle;
  }
}

/** The error for a file that was truncated. */
function truncated(fd: number, bytesMoved: number, bytesExpected: number): TruncatedError {
  return new TruncatedError({ action: `broadcast fd ${fd}`, bytesMoved, bytesExpected });
}

/**
 * Reads a file without system calls, by the runtime's own pool; also a file that another machine or
 * program holds.
 */
export async function* readFile(
  fd: number,
  { start, length }: { start: number; length: number },
  chunkSize: number,
): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < length;) {
    const bytes = await readSome(fd, start + done, Math.min(chunkSize, length - done), done);
    if (bytes.length === 0) throw truncated(fd, done, length);
    done += bytes.length;
    yield bytes;
  }
}
