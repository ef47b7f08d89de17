/** One target of a broadcast, and the chunks that it has not got yet. @module */

import { SyscallError } from "../../errors.ts";
import { connectionClosed, writeFailure } from "../engine/connection/closed.ts";
import { DescriptorWriter } from "../engine/descriptor_writer.ts";
import { ConnectionWriter, type WriteJob } from "../engine/connection/writer.ts";
import { Outcome, outcomeOf } from "../engine/step/outcome.ts";
import { verify } from "../engine/endpoint.ts";
import type { Pipe } from "../engine/pipe.ts";
import { openPipe } from "../engine/pipe_pool.ts";
import { isRefusal, isTransient } from "../engine/driver.ts";
import type { BroadcastMethod, Chunk, PendingWrite, WriteTaker } from "./types.ts";
import { WriteQueue } from "./write_queue.ts";
import { PendingBytesWrite, type PendingFileWrite } from "./pending_writes.ts";
import type { TargetWriter } from "./target_writer.ts";
import type { StallBudget } from "./stall_budget.ts";
import { PIPE_BYTES } from "./pipes.ts";

/** A target that has been opened, with a short queue of chunks. */
export class TargetQueue implements WriteTaker, WriteJob {
  /** Bytes that it took. */
  bytes = 0;
  /** Bytes that it missed. */
  dropped = 0;
  method: BroadcastMethod = "none";
  /** Whether the others do not wait for it any more, and it misses what comes. */
  lagging = false;
  /** Settles once no thread works on its behalf. */
  settled: Promise<void> = Promise.resolve();
  readonly targetWriter: TargetWriter;
  readonly stallBudget: StallBudget;
  /** What it has been offered and has not got. */
  readonly queue: WriteQueue = new WriteQueue();
  readonly #events: TargetQueueEvents;
  #splices: boolean;
  #pipe: Pipe | null | undefined;
  #running = false;
  #over = false;
  /** Writes to what does not wait. */
  readonly #writer: ConnectionWriter | null;

  constructor(targetWriter: TargetWriter, stallBudget: StallBudget, events: TargetQueueEvents) {
    this.targetWriter = targetWriter;
    this.stallBudget = stallBudget;
    this.#events = events;
    this.#splices = targetWriter.splices;
    const { connection } = targetWriter;
    this.#writer = connection === null ? null : new ConnectionWriter(connection, this, Infinity);
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
    return this.targetWriter.toPipe;
  }

  pipe(least: number): Pipe | null {
    return this.#pipe ??= openPipe(PIPE_BYTES, least);
  }

  write(fd: number, bytes: Uint8Array): number {
    return this.targetWriter.write(fd, bytes);
  }

  /** Queues its share of a chunk; only when it is not {@linkcode full}. */
  offer(chunk: Chunk): void {
    this.queue.push(chunk.laneFor(this));
    if (this.#writer !== null) this.#writer.start();
    else if (!this.#running) this.#start();
  }

  /** Drops what it has been offered, but for what is on its way or in its pipe already. */
  skip(): void {
    this.dropped += this.queue.skip();
  }

  /** Ends it where it is; {@linkcode settled} then tells when it has let go of everything. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#writer?.stop();
    // What a thread works on is closed behind it.
    this.settled = this.settled.then(() => {
      this.targetWriter.release();
      this.#pipe?.close();
    });
  }

  /** Bytes that it was offered and has not taken; once it is stopped and settled. */
  get rest(): number {
    return this.queue.bytes - this.bytes;
  }

  #start(): void {
    const { file, sink } = this.targetWriter;
    this.#running = true;
    this.#work(file !== null ? () => this.#toFile() : () => this.#toSink(sink!.write));
  }

  /** Runs what waits for a thread, or for the runtime. */
  #work(task: () => Promise<void>): void {
    const working = task().catch((error) => this.#fail(error));
    // A write of the runtime may never end, and uses nothing of ours.
    if (this.targetWriter.sink === null) this.settled = working;
  }

  async #toFile(): Promise<void> {
    const file = this.targetWriter.file!;
    const writer = new DescriptorWriter(file, null);
    try {
      for (let pending = this.queue.first; pending && !this.#over; pending = this.queue.first) {
        verify(file, this.bytes);
        const moved = await pending.giveToFile(writer);
        if (moved > 0) this.#count(moved, pending);
        else if (moved === 0) return this.#events.short();
        else if (isTransient(moved)) continue;
        // A file that appends, for one, takes no pages.
        else if (!isRefusal(moved) || !this.#copyFirst()) {
          return this.#refuse(moved);
        }
      }
      this.#running = false;
    } finally {
      await writer.close();
    }
  }

  /** Goes on with bytes where pages are refused; false where it was bytes that were. */
  #copyFirst(): boolean {
    const pending = this.queue.first!;
    if (pending.method === "copy") return false;
    this.#splices = false;
    this.queue.replaceFirst(new PendingBytesWrite(pending.takeOut(pending.left), this));
    return true;
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

  get left(): number {
    return this.queue.first?.left ?? 0;
  }

  give(fd: number): number {
    const pending = this.queue.first!;
    const moved = pending.give(fd);
    if (moved > 0) this.#count(moved, pending);
    return moved;
  }

  takeByte(target: Uint8Array): number {
    const pending = this.queue.first!;
    const taken = pending.takeByte(target);
    if (taken > 0) this.#count(taken, pending);
    return taken;
  }

  /** The bytes have left the page cache since the chunk was offered: a thread brings them back. */
  fill(): Promise<void> {
    const filled = (this.queue.first as PendingFileWrite).bringIn();
    this.settled = filled.catch(() => {});
    return filled;
  }

  /** The connection has got all that it was offered. */
  emptied(): void {}

  failed(result: number): void {
    if (result === 0) return this.#events.short();
    if (outcomeOf(result) === Outcome.REFUSED && this.#copyFirst()) return this.#writer!.again();
    this.#refuse(result);
  }

  #refuse(result: number): void {
    this.#fail(writeFailure(result, "write", "write to a target", this.bytes));
  }

  lost(cause?: unknown): void {
    this.#fail(connectionClosed({ syscall: "write", bytesMoved: this.bytes, cause }));
  }

  broke(error: Error): void {
    this.#fail(error);
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

/** Who is told what becomes of a target queue. */
export interface TargetQueueEvents {
  /** It is not full any more; with nothing to get when it is not `busy`. */
  room(targetQueue: TargetQueue): void;
  /** It can take nothing more; it is released by the one who is told. */
  failed(targetQueue: TargetQueue, error: Error): void;
  /** The source fell short. */
  short(): void;
}
