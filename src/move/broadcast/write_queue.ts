/** The chunks that a target has been offered and has not got yet. @module */

import type { PendingWrite } from "./types.ts";
import { PendingFileWrite, PendingPipeWrite } from "./pending_writes.ts";

/**
 * Most bytes that a target may be behind. Of a file it is a range of the page cache, which costs
 * nothing; with 16 MiB 16 clients cost 0.25 CPU-seconds per GB, with 4 MiB 0.20 to 0.22 and with 1 MiB
 * 0.22 to 0.26 (measured beside other programs), maybe because the kernel's notes on those pages then
 * stay in the processor's cache. Bytes in memory are held for the target.
 */
const MOST_SHARED = 4 * 1024 * 1024;
/** Of a file, for one that the others do not wait for. */
const MOST_APART = 128 * 1024 * 1024;
/** How much further behind that is. */
export const APART_BYTES: number = MOST_APART - MOST_SHARED;
const MOST_COPIED = 1024 * 1024;

/** Most chunks that it may be behind, however small they are. */
const MOST_WRITES = 1024;

/** Lanes in their order, of which the first is on its way. */
export class WriteQueue {
  /** Bytes that have been queued in all, without those that were skipped. */
  bytes = 0;
  /** Whether it may be further behind than the others until it has caught up. */
  apart = false;
  readonly #writes: PendingWrite[] = [];
  /** What its writes may take up of the target's pipe, in bytes. */
  #piped = 0;

  /** The write that is on its way; `undefined` when there is nothing to do. */
  get first(): PendingWrite | undefined {
    return this.#writes[0];
  }

  /** Whether there is no room, for a target that has taken `taken` bytes in all. */
  full(taken: number): boolean {
    const last = this.#writes.at(-1);
    if (last === undefined) return false;
    const shared = this.apart ? MOST_APART : MOST_SHARED;
    const most = last.method === "copy" ? MOST_COPIED : shared;
    if (this.bytes - taken >= most || this.#writes.length >= MOST_WRITES) return true;
    return last instanceof PendingPipeWrite && this.#piped + last.span > last.capacity;
  }

  /** Whether it could be, at no cost: what it waits for is a file's. */
  get stretches(): boolean {
    return !this.apart && this.#writes.at(-1) instanceof PendingFileWrite;
  }

  /** Lets the target, which has taken `taken` bytes, be so; false when that helps nobody. */
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

  /** Removes the first one, of which everything is taken. */
  shift(): void {
    const write = this.#writes.shift();
    if (write instanceof PendingPipeWrite) this.#piped -= write.span;
    if (this.#writes.length === 0) this.apart = false;
  }

  /** Sends what is left of the first one by another write. */
  replaceFirst(write: PendingWrite): void {
    const [first] = this.#writes;
    if (first instanceof PendingPipeWrite) this.#piped -= first.span;
    this.#writes[0] = write;
  }

  /** Drops all but the first, and what is in a pipe; returns how many bytes that were. */
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
