/** An open file and the operations on it. @module */

import { AbortError, errnoNumber, SyscallError } from "../../errors.ts";
import { ReadFlag } from "../../sys/flags/file.ts";
import { check } from "../../sys/check.ts";
import { IoOp } from "../../threads/io_queue/types.ts";
import type { Block } from "../aligned/slabs.ts";
import type { Backing, DirectEngine } from "./backing.ts";

/** Alignment that a file requires of memory, offsets and lengths: powers of two; 1 means none. */
export interface Alignment {
  /** Required alignment of memory addresses, in bytes. */
  readonly memory: number;
  /** Required alignment of offsets and lengths, in bytes. */
  readonly offset: number;
}

/**
 * How bytes move: past the page cache; through the page cache, dropping the pages afterwards; or
 * through the runtime, which leaves them cached.
 */
export type DirectMode = "direct" | "buffered" | "copy";

const EINTR = -errnoNumber("EINTR");
const EAGAIN = -errnoNumber("EAGAIN");
const EOPNOTSUPP = -errnoNumber("EOPNOTSUPP");

const NAMES = ["pread", "pwrite", "fsync", "fdatasync", "ftruncate"] as const;

/** Constructor arguments of {@linkcode Channel}. */
export interface ChannelOptions {
  readonly backing: Backing;
  readonly name: string;
  readonly mode: DirectMode;
  readonly alignment: Alignment;
}

/** Owns a descriptor and closes it once no operation uses it. */
export class Channel {
  readonly name: string;
  readonly mode: DirectMode;
  readonly alignment: Alignment;
  readonly #backing: Backing;
  #inFlight = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;
  readonly #streams = new Set<() => Promise<void>>();
  /** `RWF_DONTCACHE` in buffered mode, until the file system rejects it. */
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
   * Keeps the descriptor open until `leave()`. An operation may need several calls, and wait for
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

  /** Registers `stop` to run at `close()`. Returns a function that unregisters it. */
  atClose(stop: () => Promise<void>): () => void {
    this.#streams.add(stop);
    return () => void this.#streams.delete(stop);
  }

  /** Size of the file or device in bytes. */
  size(): number {
    return check(this.#backing.size(), "lseek", () => `measure "${this.name}"`);
  }

  /** Whether a file that is read directly, and so has a length, ends at an offset or before it. */
  endsBefore(offset: number): boolean {
    const size = this.mode === "direct" ? this.#backing.size() : -1;
    return size > 0 && size <= offset;
  }

  /** Runs one system call between `enter()` and `leave()`. Returns a count, 0, or `-errno`. */
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

  /** Starts one call without a promise. Returns a ticket for the queue's `cancel`. */
  start(
    op: number,
    block: Block | null,
    at: number,
    length: number,
    offset: number,
    done: (result: number) => void,
  ): number {
    const flags = op <= IoOp.WRITE ? this.#flags : 0;
    // The kernel may write to this memory until the call ends, whatever its owner does.
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

  /** Drops the range that the call touched, if the kernel lacks `RWF_DONTCACHE`. */
  #dropRange(op: number, offset: number, result: number): void {
    if (this.#flags !== 0 || result <= 0) return;
    if (op === IoOp.READ) this.#backing.drop(offset, result);
    // Dirty pages cannot be dropped: see dropCache().
    else this.#backing.push(offset, result);
  }

  /**
   * Drops the clean pages of a range from the page cache; length 0 means to the end of the file.
   */
  dropCache(offset: number, length: number): void {
    check(
      this.#backing.drop(offset, length),
      "posix_fadvise",
      () => `drop "${this.name}" from the page cache`,
    );
  }

  /** Builds the error for a failed call. */
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

  /**
   * Waits for operations in flight, then closes the descriptor. Later calls return the same
   * promise.
   */
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
