/** One target of a broadcast, and the chunks that it has not got yet. @module */

import { errnoName, errnoNumber, SyscallError } from "../../errors.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { whenReady } from "../../threads/poll/poll_ready.ts";
import { bringIn } from "../../page_cache/prefetch.ts";
import { connectionClosed } from "../engine/connection_closed.ts";
import { verify } from "../engine/endpoint.ts";
import type { Pipe } from "../engine/pipe.ts";
import { UNSUPPORTED } from "../send_file/send_loop.ts";
import { MUCH, Tuning } from "../engine/tcp_tuning.ts";
import type {
  BroadcastMethod,
  Chunk,
  PendingWrite,
  TargetQueueEvents,
  WriteTaker,
} from "./types.ts";
import { WriteQueue } from "./write_queue.ts";
import { COLD, PendingBytesWrite, type PendingFileWrite } from "./pending_writes.ts";
import { type TargetWriter, writeFailure } from "./target_writer.ts";
import type { StallBudget } from "./stall_budget.ts";
import { LEAST_PIPE, openPipe, PIPE_BYTES } from "./pipes.ts";

/** Pause before another try when the kernel is short of memory, in milliseconds. */
const SHORTAGE_MS = 20;

/** Bytes after which others get their turn on the event loop. */
const TURN = 2 * 1024 * 1024;

const EINTR = errnoNumber("EINTR");
const EAGAIN = errnoNumber("EAGAIN");
const SHORTAGE: ReadonlySet<number> = new Set(["ENOMEM", "ENOBUFS"].map(errnoNumber));

/** A target that has been opened, with a short queue of chunks. */
export class TargetQueue implements WriteTaker {
  /** Bytes that it took. */
  bytes = 0;
  /** Bytes that it missed. */
  dropped = 0;
  method: BroadcastMethod = "none";
  /** Whether the others do not wait for it any more, and it misses what comes. */
  lagging = false;
  /** Settles once no thread works on its behalf. */
  settled: Promise<void> = Promise.resolve();
  readonly writer: TargetWriter;
  readonly stallBudget: StallBudget;
  /** What it has been offered and has not got. */
  readonly queue: WriteQueue = new WriteQueue();
  readonly #events: TargetQueueEvents;
  #splices: boolean;
  #pipe: Pipe | null | undefined;
  #running = false;
  #over = false;
  readonly #tuning = new Tuning();
  #cancelWait: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #again = () => this.#push();

  constructor(writer: TargetWriter, stallBudget: StallBudget, events: TargetQueueEvents) {
    this.writer = writer;
    this.stallBudget = stallBudget;
    this.#events = events;
    this.#splices = writer.splices;
  }

  /** Whether it has not got everything that it was offered. */
  get busy(): boolean {
    return this.queue.first !== undefined;
  }

  /** Whether it is as far behind as it may be. */
  get full(): boolean {
    return this.queue.full(this.bytes);
  }

  /** Whether it is done, in whatever way. */
  get over(): boolean {
    return this.#over;
  }

  get splices(): boolean {
    return this.#splices;
  }

  get toPipe(): boolean {
    return this.writer.toPipe;
  }

  pipe(least: number): Pipe | null {
    return this.#pipe ??= openPipe(PIPE_BYTES, least);
  }

  write(fd: number, bytes: Uint8Array): number {
    return this.writer.write(fd, bytes);
  }

  /** Queues its share of a chunk; only when it is not {@linkcode full}. */
  offer(chunk: Chunk): void {
    this.queue.push(chunk.laneFor(this));
    if (!this.#running) this.#start();
  }

  /** Drops what it has been offered, but for what is on its way or in its pipe already. */
  skip(): void {
    this.dropped += this.queue.skip();
  }

  /** Ends it where it is; {@linkcode settled} then tells when it has let go of everything. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelWait?.();
    clearTimeout(this.#timer);
    if (this.writer.connection !== null) this.#tuning.end(this.writer.connection);
    // What a thread works on is closed behind it.
    this.settled = this.settled.then(() => {
      this.writer.release();
      this.#pipe?.close();
    });
  }

  /** Bytes that it was offered and has not taken; once it is stopped and settled. */
  get rest(): number {
    return this.queue.bytes - this.bytes;
  }

  #start(): void {
    const { connection, file, sink } = this.writer;
    this.#running = true;
    if (connection !== null) this.#push();
    else this.#work(file !== null ? () => this.#toFile() : () => this.#toSink(sink!.write));
  }

  /** Runs what waits for a thread, or for the runtime. */
  #work(task: () => Promise<void>): void {
    const working = task().catch((error) => this.#fail(error));
    // A write of the runtime may never end, and uses nothing of ours.
    if (this.writer.sink === null) this.settled = working;
  }

  async #toFile(): Promise<void> {
    const file = this.writer.file!;
    for (let pending = this.queue.first; pending && !this.#over; pending = this.queue.first) {
      verify(file, this.bytes);
      const moved = await pending.giveToFile(file.fd, () => this.pipe(LEAST_PIPE));
      if (moved > 0) this.#count(moved, pending);
      else if (moved === 0) return this.#events.short();
      else if (moved !== -EINTR && moved !== -EAGAIN) {
        return this.#fail(writeFailure(-moved, this.bytes));
      }
    }
    this.#running = false;
  }

  async #toSink(write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    for (let pending = this.queue.first; pending && !this.#over; pending = this.queue.first) {
      const bytes = pending.takeOut(pending.left);
      try {
        await write(bytes);
      } catch (cause) {
        if (cause instanceof SyscallError) throw cause;
        throw connectionClosed({ syscall: "write", bytesMoved: this.bytes, cause });
      }
      if (!this.#over) this.#count(bytes.length, pending);
    }
    this.#running = false;
  }

  /** Gives the descriptor what it takes now, and waits for it to take more. */
  #push(): void {
    const connection = this.writer.connection!;
    if (this.#over) return;
    // The number is good for this turn: nothing of the runtime runs until we return.
    const fd = connection.fd();
    if (fd < 0) return this.#fail(connectionClosed({ syscall: "write", bytesMoved: this.bytes }));
    if (!this.#tuning.limited && connection.timed()) this.#tuning.limit(fd);
    if (this.bytes >= MUCH) this.#tuning.unpace(fd);
    if (connection.queued()) return this.#handOver(connection, fd);
    const before = this.bytes;
    let result = 0;
    for (let pending = this.queue.first; pending; pending = this.queue.first) {
      result = pending.give(fd);
      if (result > 0) this.#count(result, pending);
      else if (result !== -EINTR) break;
      if (this.bytes - before >= TURN) break;
    }
    if (this.bytes > before) connection.touch();
    const pending = this.queue.first;
    if (pending === undefined) this.#running = false;
    else if (result > 0) setImmediate(this.#again);
    else this.#held(result, connection, fd, pending);
  }

  #held(result: number, connection: RuntimeConnection, fd: number, pending: PendingWrite): void {
    if (result === -EAGAIN) return this.#handOver(connection, fd);
    if (result === 0) return this.#events.short();
    if (result === COLD) return this.#warm(pending as PendingFileWrite);
    if (SHORTAGE.has(-result)) {
      this.#timer = setTimeout(this.#again, SHORTAGE_MS);
      return;
    }
    if (!UNSUPPORTED.has(errnoName(-result)) || pending.method === "copy") {
      return this.#fail(writeFailure(-result, this.bytes));
    }
    // It cannot be given pages after all: bytes from here on.
    this.#splices = false;
    this.queue.replaceFirst(new PendingBytesWrite(pending.takeOut(pending.left), this));
    this.#push();
  }

  /** The bytes have left the page cache since the chunk was offered: a thread brings them back. */
  #warm(pending: PendingFileWrite): void {
    this.#work(async () => {
      await bringIn(pending.file, pending.position, pending.left);
      pending.warmed();
      this.#push();
    });
  }

  /**
   * Waits until the connection takes bytes again: the next byte goes through the runtime's own write,
   * whose callback says so. A connection without such a write is waited for by its descriptor.
   */
  #handOver(connection: RuntimeConnection, fd: number): void {
    if (connection.write === null) return this.#waitFor(connection, fd);
    const pending = this.queue.first!;
    const one = pending.takeOut(1);
    if (one.length === 0) return this.#events.short();
    this.#count(1, pending);
    connection.write(one, (cause) => {
      if (this.#over) return;
      if (cause) {
        return this.#fail(connectionClosed({ syscall: "write", bytesMoved: this.bytes, cause }));
      }
      this.#push();
    });
  }

  #waitFor(connection: RuntimeConnection, fd: number): void {
    try {
      this.#cancelWait = whenReady(fd, PollEvent.OUT, this.#again, (error) => {
        const closed = connection.fd() < 0;
        this.#fail(closed ? connectionClosed({ syscall: "write", bytesMoved: this.bytes }) : error);
      });
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #count(moved: number, pending: PendingWrite): void {
    const { full } = this;
    this.bytes += moved;
    this.method = pending.method;
    if (pending.left === 0) this.queue.shift();
    if ((full && !this.full) || !this.busy) this.#events.room(this);
  }

  #fail(error: Error): void {
    if (!this.#over) this.#events.failed(this, error);
  }
}
