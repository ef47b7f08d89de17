/** The chunks that a target has been offered and has not got yet. @module */

import type { Lane } from "./job.ts";
import { FileLane, PipeLane } from "./lanes.ts";

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
const MOST_LANES = 1024;

/** Lanes in their order, of which the first is on its way. */
export class LaneQueue {
  /** Bytes that have been queued in all, without those that were skipped. */
  bytes = 0;
  /** Whether it may be further behind than the others until it has caught up. */
  apart = false;
  readonly #lanes: Lane[] = [];
  /** What its lanes may take up of the target's pipe, in bytes. */
  #piped = 0;

  /** The lane that is on its way; `undefined` when there is nothing to do. */
  get first(): Lane | undefined {
    return this.#lanes[0];
  }

  /** Whether there is no room, for a target that has taken `taken` bytes in all. */
  full(taken: number): boolean {
    const last = this.#lanes.at(-1);
    if (last === undefined) return false;
    const shared = this.apart ? MOST_APART : MOST_SHARED;
    const most = last.method === "copy" ? MOST_COPIED : shared;
    if (this.bytes - taken >= most || this.#lanes.length >= MOST_LANES) return true;
    return last instanceof PipeLane && this.#piped + last.span > last.capacity;
  }

  /** Whether it could be, at no cost: what it waits for is a file's. */
  get stretches(): boolean {
    return !this.apart && this.#lanes.at(-1) instanceof FileLane;
  }

  /** Lets the target, which has taken `taken` bytes, be so; false when that helps nobody. */
  stretch(taken: number): boolean {
    if (!this.stretches) return false;
    this.apart = true;
    return !this.full(taken);
  }

  /** Adds a lane. */
  push(lane: Lane): void {
    if (lane instanceof PipeLane) this.#piped += lane.span;
    this.bytes += lane.left;
    this.#lanes.push(lane);
  }

  /** Removes the first one, of which everything is taken. */
  shift(): void {
    const lane = this.#lanes.shift();
    if (lane instanceof PipeLane) this.#piped -= lane.span;
    if (this.#lanes.length === 0) this.apart = false;
  }

  /** Sends what is left of the first one by another lane. */
  replaceFirst(lane: Lane): void {
    const [first] = this.#lanes;
    if (first instanceof PipeLane) this.#piped -= first.span;
    this.#lanes[0] = lane;
  }

  /** Drops all but the first, and what is in a pipe; returns how many bytes that were. */
  skip(): number {
    let dropped = 0;
    for (let i = this.#lanes.length - 1; i > 0 && !(this.#lanes[i] instanceof PipeLane); i--) {
      dropped += this.#lanes.pop()!.left;
    }
    this.bytes -= dropped;
    return dropped;
  }
}
