/** One target of a broadcast, and the chunks that it has not got yet. @module */

import { SyscallError } from "../../errors.ts";
import { connectionClosed, writeFailure } from "../closed.ts";
import { DescriptorWriter } from "../descriptor_writer.ts";
import { ConnectionWriter, type WriteJob } from "../engine/connection_writer.ts";
import { Outcome, outcomeOf } from "../engine/step/outcome.ts";
import { verify } from "../ends.ts";
import type { Pipe } from "../pipe.ts";
import { openPipe } from "../pipe_pool.ts";
import { isRefusal, isTransient } from "../transfer_job.ts";
import type { BranchEvents, BroadcastMethod, Chunk, Lane, LaneTaker } from "./job.ts";
import { LaneQueue } from "./lane_queue.ts";
import { BytesLane, type FileLane } from "./lanes.ts";
import type { Outlet } from "./outlet.ts";
import type { Patience } from "./patience.ts";
import { PIPE_BYTES } from "./pipes.ts";

/** A target that has been opened, with a short queue of chunks. */
export class Branch implements LaneTaker, WriteJob {
  /** Bytes that it took. */
  bytes = 0;
  /** Bytes that it missed. */
  dropped = 0;
  method: BroadcastMethod = "none";
  /** Whether the others do not wait for it any more, and it misses what comes. */
  lagging = false;
  /** Settles once no thread works on its behalf. */
  settled: Promise<void> = Promise.resolve();
  readonly outlet: Outlet;
  readonly patience: Patience;
  /** What it has been offered and has not got. */
  readonly queue: LaneQueue = new LaneQueue();
  readonly #events: BranchEvents;
  #splices: boolean;
  #pipe: Pipe | null | undefined;
  #running = false;
  #over = false;
  /** Writes to what does not wait. */
  readonly #writer: ConnectionWriter | null;

  constructor(outlet: Outlet, patience: Patience, events: BranchEvents) {
    this.outlet = outlet;
    this.patience = patience;
    this.#events = events;
    this.#splices = outlet.splices;
    const { guest } = outlet;
    this.#writer = guest === null ? null : new ConnectionWriter(guest, this, Infinity);
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
    return this.outlet.toPipe;
  }

  pipe(least: number): Pipe | null {
    return this.#pipe ??= openPipe(PIPE_BYTES, least);
  }

  write(fd: number, bytes: Uint8Array): number {
    return this.outlet.write(fd, bytes);
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
      this.outlet.release();
      this.#pipe?.close();
    });
  }

  /** Bytes that it was offered and has not taken; once it is stopped and settled. */
  get rest(): number {
    return this.queue.bytes - this.bytes;
  }

  #start(): void {
    const { file, sink } = this.outlet;
    this.#running = true;
    this.#work(file !== null ? () => this.#toFile() : () => this.#toSink(sink!.write));
  }

  /** Runs what waits for a thread, or for the runtime. */
  #work(task: () => Promise<void>): void {
    const working = task().catch((error) => this.#fail(error));
    // A write of the runtime may never end, and uses nothing of ours.
    if (this.outlet.sink === null) this.settled = working;
  }

  async #toFile(): Promise<void> {
    const file = this.outlet.file!;
    const writer = new DescriptorWriter(file, null);
    try {
      for (let lane = this.queue.first; lane && !this.#over; lane = this.queue.first) {
        verify(file, this.bytes);
        const moved = await lane.giveToFile(writer);
        if (moved > 0) this.#count(moved, lane);
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
    const lane = this.queue.first!;
    if (lane.method === "copy") return false;
    this.#splices = false;
    this.queue.replaceFirst(new BytesLane(lane.takeOut(lane.left), this));
    return true;
  }

  async #toSink(write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    for (let lane = this.queue.first; lane && !this.#over; lane = this.queue.first) {
      const bytes = lane.takeOut(lane.left);
      try {
        await write(bytes);
      } catch (cause) {
        if (cause instanceof SyscallError) throw cause;
        throw connectionClosed({ syscall: "write", bytesMoved: this.bytes, cause });
      }
      if (!this.#over) this.#count(bytes.length, lane);
    }
    this.#running = false;
  }

  get left(): number {
    return this.queue.first?.left ?? 0;
  }

  give(fd: number): number {
    const lane = this.queue.first!;
    const moved = lane.give(fd);
    if (moved > 0) this.#count(moved, lane);
    return moved;
  }

  takeByte(target: Uint8Array): number {
    const lane = this.queue.first!;
    const taken = lane.takeByte(target);
    if (taken > 0) this.#count(taken, lane);
    return taken;
  }

  /** The bytes have left the page cache since the chunk was offered: a thread brings them back. */
  fill(): Promise<void> {
    const filled = (this.queue.first as FileLane).bringIn();
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

  #count(moved: number, lane: Lane): void {
    const { full } = this;
    this.bytes += moved;
    this.method = lane.method;
    if (lane.left === 0) this.queue.shift();
    if ((full && !this.full) || !this.busy) this.#events.room(this);
  }

  #fail(error: Error): void {
    if (!this.#over) this.#events.failed(this, error);
  }
}
