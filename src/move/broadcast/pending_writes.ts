/** The three ways in which a target gets its share of a chunk. @module */

import { EAGAIN } from "../../errno.ts";
import * as raw from "../../sys/raw/mod.ts";
import { bringIn } from "../../page_cache/prefetch.ts";
import { ResidencyCache, type ResidentFile } from "../../threads/residency_cache.ts";
import type { DescriptorWriter } from "../engine/descriptor_writer.ts";
import type { Pipe } from "../engine/pipe.ts";
import { COLD } from "../engine/step/outcome.ts";
import { sendfileStep } from "../engine/step/sendfile.ts";
import { fileToPipeStep, spliceStep } from "../engine/step/splice.ts";
import type { PendingWrite, WriteTaker } from "./types.ts";

/** Residency of files, shared by all broadcasts of this thread. */
const residency = new ResidencyCache(() => performance.now());

/** A range of a file that all targets share; its pages go to a connection, or into a pipe. */
export class PendingFileWrite implements PendingWrite {
  readonly method: "sendfile" | "splice";
  left: number;
  readonly #file: ResidentFile;
  #position: number;

  /** The range must be in the page cache. */
  constructor(file: ResidentFile, position: number, length: number, toPipe: boolean) {
    this.#file = file;
    this.#position = position;
    this.left = length;
    this.method = toPipe ? "splice" : "sendfile";
    this.#warmed();
  }

  #warmed(): void {
    residency.warm(this.#file, this.#position);
    residency.warm(this.#file, this.#position + this.left - 1);
  }

  /** Reads evicted pages back, in a thread. */
  async bringIn(): Promise<void> {
    await bringIn(this.#file.fd, this.#position, this.left);
    this.#warmed();
  }

  give(fd: number): number {
    const count = this.#resident();
    if (count === 0) return COLD;
    // Only pipes have a flag against waiting; sockets here are non-blocking.
    return this.#count(
      this.method === "sendfile"
        ? sendfileStep(fd, this.#file.fd, this.#position, count)
        : fileToPipeStep(fd, this.#file.fd, this.#position, count),
    );
  }

  #resident(): number {
    return residency.ready(this.#file, this.#position, this.left);
  }

  takeByte(target: Uint8Array): number {
    return this.#resident() === 0
      ? COLD
      : this.#count(raw.pread(this.#file.fd, target, this.#position));
  }

  async giveToFile(writer: DescriptorWriter): Promise<number> {
    return this.#count(await writer.sendFile(this.#file.fd, this.#position, this.left));
  }

  takeOut(count: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(count, this.left));
    let length = 0;
    while (length < bytes.length) {
      const read = raw.pread(this.#file.fd, bytes.subarray(length), this.#position);
      if (read <= 0) break;
      length += this.#count(read);
    }
    return bytes.subarray(0, length);
  }

  #count(moved: number): number {
    if (moved > 0) {
      this.#position += moved;
      this.left -= moved;
    }
    return moved;
  }
}

/** A target's own pipe, with its copy of the chunk's page references. */
export class PendingPipeWrite implements PendingWrite {
  readonly method = "splice";
  left: number;
  /** Bytes of the pipe's capacity that it may occupy: its pages need not be full. */
  readonly span: number;
  readonly #pipe: Pipe;

  /** The pipe must hold `length` bytes, and have no other reader. */
  constructor(pipe: Pipe, length: number, span: number = length) {
    this.#pipe = pipe;
    this.left = length;
    this.span = span;
  }

  /** Capacity of the pipe. */
  get capacity(): number {
    return this.#pipe.capacity;
  }

  give(fd: number): number {
    const { readFd } = this.#pipe;
    const moved = spliceStep(readFd, null, fd, null, this.left);
    // The pipe is not empty and has its writer: 0 means that the target took nothing.
    return moved === 0 ? EAGAIN : this.#count(moved);
  }

  async giveToFile(writer: DescriptorWriter): Promise<number> {
    return this.#count(await writer.splice(this.#pipe.readFd, this.left));
  }

  takeByte(target: Uint8Array): number {
    return this.#count(raw.read(this.#pipe.readFd, target));
  }

  takeOut(count: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(count, this.left));
    let length = 0;
    while (length < bytes.length) {
      const read = raw.read(this.#pipe.readFd, bytes.subarray(length));
      if (read <= 0) break;
      length += this.#count(read);
    }
    return bytes.subarray(0, length);
  }

  #count(moved: number): number {
    if (moved > 0) this.left -= moved;
    return moved;
  }
}

/** JavaScript memory that all targets share and that never changes. */
export class PendingBytesWrite implements PendingWrite {
  readonly method = "copy";
  #bytes: Uint8Array;
  readonly #taker: WriteTaker;

  constructor(bytes: Uint8Array, taker: WriteTaker) {
    this.#bytes = bytes;
    this.#taker = taker;
  }

  get left(): number {
    return this.#bytes.length;
  }

  give(fd: number): number {
    const written = this.#taker.write(fd, this.#bytes);
    return written === 0 ? EAGAIN : this.#count(written);
  }

  async giveToFile(writer: DescriptorWriter): Promise<number> {
    return this.#count(await writer.give(this.#bytes));
  }

  takeByte(target: Uint8Array): number {
    target[0] = this.#bytes[0]!;
    return this.#count(1);
  }

  takeOut(count: number): Uint8Array {
    const bytes = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(bytes.length);
    return bytes;
  }

  #count(moved: number): number {
    if (moved > 0) this.#bytes = this.#bytes.subarray(moved);
    return moved;
  }
}
