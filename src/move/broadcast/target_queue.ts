/** One target of a broadcast, and the chunks that it has not taken yet. @module */

import { SyscallError } from "../../errors.ts";
import { connectionClosed, writeFailure } from "../engine/connection/closed.ts";
import { DescriptorWriter } from "../engine/descriptor_writer.ts";
import { ConnectionWriter, type WriteJob } from "../engine/connection/writer.ts";
import { Outcome, outcomeOf } from "../engine/step/outcome.ts";
import { verify } from "../engine/endpoint.ts";
import type { Pipe } from "../engine/pipe.ts";
import { openPipe } from "../engine/pipe_pool.ts";
import { isRefusal, isTransient } from "../transfer/options.ts";
import type { BroadcastMethod, Chunk, PendingWrite, WriteTaker } from "./types.ts";
import { WriteQueue } from "./write_queue.ts";
import { PendingBytesWrite, type PendingFileWrite } from "./pending_writes.ts";
import type { TargetWriter } from "./target_writer.ts";
import type { StallBudget } from "./stall_budget.ts";
import { PIPE_BYTES } from "./pipes.ts";

/** An opened target with a short queue of chunks. */
export class TargetQueue implements WriteTaker, WriteJob {
  /** Bytes that it took. */
  bytes = 0;
  /** Bytes that it missed. */
  dropped = 0;
  method: BroadcastMethod = "none";
  /** Whether the others no longer wait for it, so that it misses chunks. */
  lagging = false;
  /** Settles once no thread works for it. */
  settled: Promise<void> = Promise.resolve();
  readonly targetWriter: TargetWriter;
  readonly stallBudget: StallBudget;
  /** Chunks offered but not taken yet. */
  readonly queue: WriteQueue = new WriteQueue();
  readonly #events: TargetQueueEvents;
  #splices: boolean;
  #pipe: Pipe | null | undefined;
  #running = false;
  #over = false;
  /** Writes to a non-blocking descriptor. */
  readonly #writer: ConnectionWriter | null;

  constructor(targetWriter: TargetWriter, stallBudget: StallBudget, events: TargetQueueEvents) {
    this.targetWriter = targetWriter;
    this.stallBudget = stallBudget;
    this.#events = events;
    this.#splices = targetWriter.splices;
    const { connection } = targetWriter;
    this.#writer = connection === null ? null : new ConnectionWriter(connection, this, Infinity);
  }

  /** Whether it has unsent chunks. */
  get busy(): boolean {
    return this.queue.first !== undefined;
  }

  /** Whether it is as far behind as allowed. */
  get full(): boolean {
    return this.queue.full(this.bytes);
  }

  /** Whether it has ended for any reason. */
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

  /** Queues its share of a chunk; only if it is not {@linkcode full}. */
  offer(chunk: Chunk): void {
    this.queue.push(chunk.laneFor(this));
    if (this.#writer !== null) this.#writer.start();
    else if (!this.#running) this.#start();
  }

  /** Drops the queued chunks, except for those in progress or already in its pipe. */
  skip(): void {
    this.dropped += this.queue.skip();
  }

  /** Ends it at its current byte; {@linkcode settled} then says when it has freed everything. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#writer?.stop();
    // Files that a thread uses are closed after it.
    this.settled = this.settled.then(() => {
      this.targetWriter.release();
      this.#pipe?.close();
    });
  }

  /** Bytes offered but not taken; valid once it is stopped and settled. */
  get rest(): number {
    return this.queue.bytes - this.bytes;
  }

  #start(): void {
    const { file, sink } = this.targetWriter;
    this.#running = true;
    this.#work(file !== null ? () => this.#toFile() : () => this.#toSink(sink!.write));
  }

  /** Runs a task that waits for a thread, or for the runtime. */
  #work(task: () => Promise<void>): void {
    const working = task().catch((error) => this.#fail(error));
    // A write of the runtime may never end, and uses none of our resources.
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
        // A file opened for appending, for example, takes no pages.
        else if (!isRefusal(moved) || !this.#copyFirst()) {
          return this.#refuse(moved);
        }
      }
      this.#running = false;
    } finally {
      await writer.close();
    }
  }

  /** Continues with bytes if pages are refused; false if bytes were refused. */
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

  /** The pages were evicted since the chunk was offered: a thread reads them again. */
  fill(): Promise<void> {
    const filled = (this.queue.first as PendingFileWrite).bringIn();
    this.settled = filled.catch(() => {});
    return filled;
  }

  /** The connection has taken all offered chunks. */
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

/** Events of a target queue. */
export interface TargetQueueEvents {
  /** It has room again; if it is not `busy`, it has nothing to send. */
  room(targetQueue: TargetQueue): void;
  /** It can take no more; the callee releases it. */
  failed(targetQueue: TargetQueue, error: Error): void;
  /** The source fell short. */
  short(): void;
}
