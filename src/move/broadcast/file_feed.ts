/** Chunks of a file. @module */

import { builtin } from "../../builtins.ts";
import { TruncatedError } from "../../errors.ts";
import { fdStat, FileType } from "../../sys/statx.ts";
import { WINDOW } from "../../wait/residency.ts";
import { newFileId, type ResidentFile } from "../../wait/residency_cache.ts";
import { closeEnd, type End, goBuffered, verify } from "../ends.ts";
import { snapshot } from "../generated.ts";
import { Gate } from "../gate.ts";
import { asSyscallError } from "../source.ts";
import { bytesChunk } from "./bytes_feed.ts";
import type { Chunk, Feed, LaneTaker } from "./job.ts";
import { BytesLane, FileLane } from "./lanes.ts";

/**
 * A file, of which each target sends the same range by a sendfile(2) of its own.
 *
 * In bare loops, 256 MiB to 16 TCP clients take 0.14 to 0.19 CPU-seconds per GB in this way, 0.17 to
 * 0.26 by tee(2) and splice(2), 0.21 to 0.24 by one read and 16 sends, and 0.27 to 0.41 by streams of
 * Node.js (measured on Linux 6.18, loopback, warm, beside other programs). All of broadcast() takes
 * 0.20 to 0.26. How far the targets part is bounded by `MOST_SHARED`.
 */
export class FileFeed implements Feed {
  readonly total: number;
  readonly live = false;
  readonly #end: End;
  readonly #file: ResidentFile;
  readonly #gate: Gate;
  readonly #stop: number;
  readonly #copies: boolean;
  #position: number;

  /** Takes over `end`, and closes it. */
  constructor(end: End, range: { start: number; length: number }, copies: boolean) {
    goBuffered(end, "source");
    this.#end = end;
    // Nobody asks what lies in holes: the gate has seen all of a chunk before it is offered.
    this.#file = { fd: end.fd, id: newFileId(), size: end.size, sparse: false };
    this.#gate = new Gate(end.fd, range.start);
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
      laneFor: (taker: LaneTaker) =>
        taker.splices
          ? new FileLane(file, start, length, taker.toPipe)
          : new BytesLane(bytes ??= this.#read(start, length), taker),
      settle() {},
    };
  }

  /** What the slowest has got, nobody knows exactly; what all have been offered is the end of the file. */
  short(): Error {
    const stat = fdStat(this.#end.fd);
    const size = typeof stat === "number" ? 0 : stat.size;
    const begun = this.#stop - this.total;
    return truncated(this.#end.given, Math.max(0, size - begun), this.total);
  }

  #read(start: number, length: number): Uint8Array {
    const lane = new FileLane(this.#file, start, length, false);
    const bytes = lane.takeOut(length);
    if (bytes.length < length) throw this.short();
    return bytes;
  }

  async close(): Promise<void> {
    await this.#gate.idle;
    closeEnd(this.#end);
  }
}

/** The error for a file that ends before the bytes that were there at the start. */
export function truncated(fd: number, bytesMoved: number, bytesExpected: number): TruncatedError {
  return new TruncatedError({ action: `broadcast fd ${fd}`, bytesMoved, bytesExpected });
}

/** A file whose contents are made up as it is read, in memory; else the file itself. */
export function settled(end: End): End {
  const copy = end.type === FileType.REGULAR ? snapshot(end.fd, end) : undefined;
  if (copy === undefined) return end;
  closeEnd(end);
  return { ...end, given: copy.fd, ...copy, direct: false };
}

/** A file where the system cannot be called, read by the runtime's own pool. */
export async function* readFile(
  fd: number,
  { start, length }: { start: number; length: number },
  chunkSize: number,
): AsyncGenerator<Uint8Array> {
  const { read } = builtin("fs");
  for (let position = start; position < start + length;) {
    const bytes = new Uint8Array(Math.min(chunkSize, start + length - position));
    const at = position;
    const count = await new Promise<number>((resolve, reject) => {
      read(fd, bytes, 0, bytes.length, at, (error, bytesRead) => {
        if (error) reject(asSyscallError(error, "read", `read fd ${fd}`, at - start));
        else resolve(bytesRead);
      });
    });
    if (count === 0) throw truncated(fd, position - start, length);
    position += count;
    yield bytes.subarray(0, count);
  }
}
