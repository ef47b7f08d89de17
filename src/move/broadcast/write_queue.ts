/** The chunks that a target has been offered but has not taken yet. @module */

import type { PendingWrite } from "./types.ts";
import { PendingFileWrite, PendingPipeWrite } from "./pending_writes.ts";

/**
 * Maximum bytes that a target may be behind. In a file, they are a range of the page cache, which
 * costs no memory, but a longer queue costs more CPU time, possibly because the kernel's data about
 * those pages leaves the processor's cache: see `npm run bench -- broadcast`. Bytes in memory are
 * held for the target.
 */
const MOST_SHARED = 4 * 1024 * 1024;
/** The same in a file, for a target that the others do not wait for. */
const MOST_APART = 128 * 1024 * 1024;
/** Additional bytes that it may be behind then. */
export const APART_BYTES: number = MOST_APART - MOST_SHARED;
const MOST_COPIED = 1024 * 1024;

/** Maximum number of chunks that it may be behind, however small they are. */
const MOST_WRITES = 1024;

/** Writes in order; the first one is in progress. */
export class WriteQueue {
  /** Total bytes queued, without skipped ones. */
  bytes = 0;
  /** Whether it may be further behind than the others until it has caught up. */
  apart = false;
  readonly #writes: PendingWrite[] = [];
  /** Bytes that its writes may occupy in the target's pipe. */
  #piped = 0;

  /** The write in progress; `undefined` if there is none. */
  get first(): PendingWrite | undefined {
    return this.#writes[0];
  }

  /** Whether the queue is full, for a target that has taken `taken` bytes in total. */
  full(taken: number): boolean {
    const last = this.#writes.at(-1);
    if (last === undefined) return false;
    const shared = this.apart ? MOST_APART : MOST_SHARED;
    const most = last.method === "copy" ? MOST_COPIED : shared;
    if (this.bytes - taken >= most || this.#writes.length >= MOST_WRITES) return true;
    return last instanceof PendingPipeWrite && this.#piped + last.span > last.capacity;
  }

  /** Whether it may stretch at no cost: its last write is a range of a file. */
  get stretches(): boolean {
    return !this.apart && this.#writes.at(-1) instanceof PendingFileWrite;
  }

  /**
   * Allows a target, which has taken `taken` bytes, to fall further behind; false if that does not
   * help.
   */
  stretch(taken: number): boolean {
    if (!this.stretches) return false;
    this.apart = true;
    return !this.full(taken);
  }

  /** Adds a write. */
  push(write: PendingWrite): void {
    if (write instanceof PendingPipeWrite) this.#piped += write.span;
    this.bytes += write.left;
    this.#writes.push(write);
  }

  /** Removes the first write, which is complete. */
  shift(): void {
    const write = this.#writes.shift();
    if (write instanceof PendingPipeWrite) this.#piped -= write.span;
    if (this.#writes.length === 0) this.apart = false;
  }

  /** Sends the rest of the first write by another one. */
  replaceFirst(write: PendingWrite): void {
    const [first] = this.#writes;
    if (first instanceof PendingPipeWrite) this.#piped -= first.span;
    this.#writes[0] = write;
  }

  /** Drops all writes except the first, and those in a pipe; returns their bytes. */
  skip(): number {
    let dropped = 0;
    for (
      let i = this.#writes.length - 1;
      i > 0 && !(this.#writes[i] instanceof PendingPipeWrite);
      i--
    ) {
      dropped += this.#writes.pop()!.left;
    }
    this.bytes -= dropped;
    return dropped;
  }
}
