/** An open file and the operations on it. @module */

import { AbortError, errnoNumber, SyscallError } from "../../errors.ts";
import { ReadFlag } from "../../sys/flags/file.ts";
import { check } from "../../sys/check.ts";
import { IoOp } from "../../threads/io_queue/types.ts";
import type { Block } from "../aligned/slabs.ts";
import type { Backing, DirectEngine } from "./backing.ts";

/** What a file asks of memory, offsets and lengths: powers of two. 1 where it asks for nothing. */
export interface Alignment {
  /** What the address of memory must be a multiple of. */
  readonly memory: number;
  /** What offsets and lengths must be multiples of. */
  readonly offset: number;
}

/**
 * How bytes go: past the page cache; through it, and out of it again; or through the runtime, which
 * leaves them there.
 */
export type DirectMode = "direct" | "buffered" | "copy";

const EINTR = -errnoNumber("EINTR");
const EAGAIN = -errnoNumber("EAGAIN");
const EOPNOTSUPP = -errnoNumber("EOPNOTSUPP");

const NAMES = ["pread", "pwrite", "fsync", "fdatasync", "ftruncate"] as const;

/** What a channel is made of. */
export interface ChannelOptions {
  readonly backing: Backing;
  readonly name: string;
  readonly mode: DirectMode;
  readonly alignment: Alignment;
}

/** A descriptor of our own, closed when nothing uses it any more. */
export class Channel {
  readonly name: string;
  readonly mode: DirectMode;
  readonly alignment: Alignment;
  readonly #backing: Backing;
  #inFlight = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;
  readonly #streams = new Set<() => Promise<void>>();
  /** `RWF_DONTCACHE` where the page cache is used, until the file system refuses it. */
  #flags: number;

  constructor({ backing, name, mode, alignment }: ChannelOptions) {
    this.#backing = backing;
    this.name = name;
    this.mode = mode;
    this.alignment = alignment;
    this.#flags = mode === "buffered" ? ReadFlag.DONTCACHE : 0;
  }

  /** What runs the operations. */
  get engine(): DirectEngine {
    return this.#backing.engine;
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Throws when the file is closed. */
  assertOpen(action: string): void {
    if (this.closed) throw new TypeError(`Cannot ${action} "${this.name}": the file is closed`);
  }

  /**
   * Keeps the descriptor open until `leave()`: an operation may take several calls, and has to wait for
   * memory between them.
   */
  enter(action: string): void {
    this.assertOpen(action);
    this.#inFlight++;
  }

  /** Undoes `enter()`. */
  leave(): void {
    if (--this.#inFlight === 0) this.#idle?.();
  }

  /** Has `stop` called at `close()`. Returns a function that takes that back. */
  atClose(stop: () => Promise<void>): () => void {
    this.#streams.add(stop);
    return () => void this.#streams.delete(stop);
  }

  /** Bytes of the file now, or of the device. */
  size(): number {
    return check(this.#backing.size(), "lseek", () => `measure "${this.name}"`);
  }

  /** Whether a file that is read directly, and so has a length, ends at an offset or before it. */
  endsBefore(offset: number): boolean {
    const size = this.mode === "direct" ? this.#backing.size() : -1;
    return size > 0 && size <= offset;
  }

  /** Runs one call between `enter()` and `leave()`. Returns a count, 0, or `-errno`. */
  async run(
    op: number,
    block: Block | null,
    at: number,
    length: number,
    offset: number,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    for (;;) {
      // Others that are in flight were started with the flags, too, and are refused like this one.
      const flags = this.#flags;
      const result = await this.#once(op, block, at, length, offset, signal);
      if (result === EOPNOTSUPP && flags !== 0 && op <= IoOp.WRITE) this.#flags = 0;
      else if (result !== EINTR && result !== EAGAIN) {
        if (this.mode === "buffered" && op <= IoOp.WRITE) this.#dropRange(op, offset, result);
        return result;
      }
      if (signal?.aborted) return result;
    }
  }

  /** Makes one call and no promise. Returns a number for the queue's `cancel`. */
  start(
    op: number,
    block: Block | null,
    at: number,
    length: number,
    offset: number,
    done: (result: number) => void,
  ): number {
    const flags = op <= IoOp.WRITE ? this.#flags : 0;
    // Until it has ended the kernel may write there, whatever the owner does with the memory.
    block?.hold();
    return this.#backing.start(op, block, at, length, offset, flags, (result) => {
      done(result);
      block?.drop();
    });
  }

  #once(
    op: number,
    block: Block | null,
    at: number,
    length: number,
    offset: number,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    return new Promise((resolve) => {
      const ticket = this.start(op, block, at, length, offset, (result) => {
        signal?.removeEventListener("abort", cancel);
        resolve(result);
      });
      const cancel = () => this.#backing.cancel(ticket);
      signal?.addEventListener("abort", cancel);
    });
  }

  /** Where the kernel is too old to do so by itself. */
  #dropRange(op: number, offset: number, result: number): void {
    if (this.#flags !== 0 || result <= 0) return;
    if (op === IoOp.READ) this.#backing.drop(offset, result);
    // A dirty page cannot be dropped: see dropCache().
    else this.#backing.push(offset, result);
  }

  /** Drops clean pages of a range from the page cache; 0 is to the end. */
  dropCache(offset: number, length: number): void {
    check(
      this.#backing.drop(offset, length),
      "posix_fadvise",
      () => `drop "${this.name}" from the page cache`,
    );
  }

  /** The error for a failed call. */
  error(op: number, errno: number, bytesMoved: number, signal?: AbortSignal): Error {
    if (signal?.aborted) return new AbortError(bytesMoved, signal.reason);
    const verb = op === IoOp.READ ? "read" : op === IoOp.WRITE ? "write" : "change";
    return new SyscallError({
      syscall: NAMES[op]!,
      errno: -errno,
      action: `${verb} "${this.name}"`,
      bytesMoved,
    });
  }

  /** Waits for everything in flight, and closes the descriptor; later calls get the same promise. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await Promise.all(Array.from(this.#streams, (stop) => stop()));
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#idle = resolve);
    if (this.mode === "buffered") this.#backing.drop(0, 0);
    check(await this.#backing.close(), "close", () => `close "${this.name}"`);
  }
}
