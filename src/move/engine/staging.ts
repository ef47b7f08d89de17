/** Holds bytes between a source and a target that cannot be joined directly. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { EAGAIN, EOPNOTSUPP } from "../../errno.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { ReadFlag } from "../../sys/flags/file.ts";
import * as raw from "../../sys/raw/mod.ts";
import { FileType } from "../../sys/file/statx.ts";
import { isLocal, readRemote } from "../../threads/blocking/files.ts";
import type { TransferMethod } from "./driver.ts";
import { type End, isFile } from "./endpoint.ts";
import { ReadAhead } from "../../page_cache/read_ahead.ts";
import type { Pipe } from "./pipe.ts";
import { peekStep, scratch, sendStep, SOCKET_BYTES, takeOut } from "./step/memory.ts";
import { receiveStep, spliceStep } from "./step/splice.ts";

const { DONTWAIT } = platform.message;

/** Bytes that a pipe with a free slot, or a device that reports ready, takes without waiting. */
const LEAST_ROOM = 4096;

/** Bytes taken from the source that have not reached the target. */
export interface StagingBuffer {
  /** Name of the method in the result. */
  readonly method: TransferMethod;
  /** Number of bytes held. */
  readonly held: number;
  /** Takes at most `count` from the source; only if nothing is held. A count, 0, or `-errno`. */
  fill(count: number): number | Promise<number>;
  /** Moves some of the held bytes to the target. A count, or `-errno`. */
  deliver(): number | Promise<number>;
}

/** Moves some of a pipe's content to a target: a count, or `-errno`. */
export type Give = (pipe: number, count: number) => number | Promise<number>;

/** Bytes in a pipe, which never enter JavaScript. */
export class PipeStaging implements StagingBuffer {
  readonly method = "splice";
  held = 0;
  readonly #source: End;
  readonly #pipe: Pipe;
  readonly #give: Give;

  constructor(source: End, pipe: Pipe, give: Give) {
    this.#source = source;
    this.#pipe = pipe;
    this.#give = give;
  }

  fill(count: number): number {
    const { writeFd, capacity } = this.#pipe;
    // The pipe is empty, so EAGAIN concerns the source.
    const moved = takeStep(this.#source, writeFd, Math.min(count, capacity));
    return this.held = Math.max(0, moved), moved;
  }

  async deliver(): Promise<number> {
    const moved = await this.#give(this.#pipe.readFd, this.held);
    if (moved > 0) this.held -= moved;
    return moved;
  }

  /** Takes out the held bytes, for a target that refuses splice(2). */
  takeOut(): Uint8Array {
    const bytes = takeOut(this.#pipe.readFd, this.held);
    this.held = 0;
    return bytes;
  }
}

/** Fills an empty pipe from a source without positions: a count, 0 at the end, or `-errno`. */
export function takeStep({ fd, type }: End, pipe: number, count: number): number {
  return type === FileType.SOCKET
    ? receiveStep(fd, pipe, count)
    : spliceStep(fd, null, pipe, null, count);
}

/**
 * Moves bytes between a pipe and another non-blocking descriptor. As in {@linkcode receiveStep},
 * splice(2) does not decide about the end of a socket: bytes after an urgent one are copied.
 */
export function joinStep(source: End, target: End, count: number): number {
  const moved = spliceStep(source.fd, null, target.fd, null, count);
  if (source.type !== FileType.SOCKET || (moved !== 0 && moved !== EAGAIN)) return moved;
  const memory = scratch();
  if (typeof memory === "number") return memory;
  const seen = peekStep(source.fd, memory.subarray(0, Math.min(count, SOCKET_BYTES)));
  if (seen <= 0) return seen;
  const written = writeNow(target, memory.subarray(0, seen));
  if (written > 0) raw.recv(source.fd, memory.subarray(0, written), DONTWAIT);
  return written;
}

/** Reads into memory: a count, 0 at the end, or `-errno`. */
export type Read = (target: Uint8Array) => number | Promise<number>;

/** Writes from memory: a count, or `-errno`. */
export type Write = (bytes: Uint8Array) => number | Promise<number>;

/** Bytes in JavaScript. */
export class MemoryStaging implements StagingBuffer {
  readonly method = "copy";
  readonly #read: Read;
  readonly #write: Write;
  readonly #buffer = new Uint8Array(SOCKET_BYTES);
  #rest: Uint8Array;

  /** `rest` holds the bytes of an earlier staging buffer. */
  constructor(rest: Uint8Array, read: Read, write: Write) {
    this.#rest = rest;
    this.#read = read;
    this.#write = write;
  }

  get held(): number {
    return this.#rest.length;
  }

  async fill(count: number): Promise<number> {
    const bytesRead = await this.#read(this.#buffer.subarray(0, count));
    if (bytesRead > 0) this.#rest = this.#buffer.subarray(0, bytesRead);
    return bytesRead;
  }

  async deliver(): Promise<number> {
    const written = await this.#write(this.#rest);
    if (written > 0) this.#rest = this.#rest.subarray(written);
    return written;
  }
}

/**
 * Reads a file from `start` on. A thread first reads pages that are not cached, `portion` bytes at
 * a time if that is more than requested. If another machine or program holds the file, a thread reads
 * all of it.
 */
export function fileReader({ fd }: Pick<End, "fd">, start: number, portion: number): Read {
  const gate = isLocal(fd) ? new ReadAhead(fd, start) : null;
  let position = start;
  return async (target) => {
    if (gate !== null && gate.open(position, target.length) < target.length) {
      await gate.fill(position, Math.max(target.length, portion));
    }
    const bytesRead = gate === null
      ? await readRemote(fd, target, position)
      : raw.pread(fd, target, position);
    if (bytesRead > 0) position += bytesRead;
    return bytesRead;
  };
}

/** Reads available bytes without waiting, even from a blocking descriptor. */
export function readNow(source: End, target: Uint8Array): number {
  if (source.type === FileType.SOCKET) return raw.recv(source.fd, target, DONTWAIT);
  if (!source.blocking) return raw.read(source.fd, target);
  if (source.type === FileType.FIFO) {
    const result = raw.preadv2(source.fd, target, -1, ReadFlag.NOWAIT);
    if (result !== EOPNOTSUPP) return result;
  }
  return raw.poll(source.fd, PollEvent.IN, 0) === 0 ? EAGAIN : raw.read(source.fd, target);
}

/** Writes what there is room for without waiting, even to a blocking descriptor. */
export function writeNow(target: End, bytes: Uint8Array): number {
  if (target.type === FileType.SOCKET) return sendStep(target.fd, bytes);
  if (!target.blocking) return raw.write(target.fd, bytes);
  if (raw.poll(target.fd, PollEvent.OUT, 0) === 0) return EAGAIN;
  return raw.write(target.fd, bytes.subarray(0, LEAST_ROOM));
}

/** Reason why bytes cannot go from `source` to `target` by splice(2), or `null`. */
export function unspliceable(source: End, target: End | null): string | null {
  return target === null ? "the runtime owns the target" : unreadable(source) ?? unwritable(target);
}

/** Reason why splice(2) cannot read `source`, or `null`. */
export function unreadable(source: End): string | null {
  return isFile(source) ? "files have positions" : unwritable(source);
}

function unwritable({ type, blocking }: End): string | null {
  if (type === FileType.CHARACTER) return "a device may wait in the kernel";
  return type === FileType.SOCKET && blocking
    ? 'a socket without O_NONBLOCK waits in the kernel; set it, or use method "auto"'
    : null;
}
