/** One target of a broadcast, and the chunks that it has not got yet. @module */

import { errnoName, errnoNumber, SyscallError } from "../../errors.ts";
import type { Guest } from "../../guest/types.ts";
import { PollEvent } from "../../sys/event_flags.ts";
import { whenReady } from "../../wait/ready.ts";
import { bringIn } from "../../wait/residency.ts";
import { connectionClosed } from "../closed.ts";
import { verify } from "../ends.ts";
import type { Pipe } from "../pipe.ts";
import { openPipe } from "../pipe_pool.ts";
import { UNSUPPORTED } from "../run_pump.ts";
import { MUCH, Tuning } from "../tuning.ts";
import type { BranchEvents, BroadcastMethod, Chunk, Lane, LaneTaker } from "./job.ts";
import { LaneQueue } from "./lane_queue.ts";
import { BytesLane, COLD, type FileLane } from "./lanes.ts";
import { type Outlet, writeFailure } from "./outlet.ts";
import type { Patience } from "./patience.ts";
import { LEAST_PIPE, PIPE_BYTES } from "./pipes.ts";

/** Pause before another try when the kernel is short of memory, in milliseconds. */
const SHORTAGE_MS = 20;

/** Bytes after which others get their turn on the event loop. */
const TURN = 2 * 1024 * 1024;

const EINTR = errnoNumber("EINTR");
const EAGAIN = errnoNumber("EAGAIN");
const SHORTAGE: ReadonlySet<number> = new Set(["ENOMEM", "ENOBUFS"].map(errnoNumber));

/** A target that has been opened, with a short queue of chunks. */
export class Branch implements LaneTaker {
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
  readonly #tuning = new Tuning();
  #cancelWait: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #again = () => this.#push();

  constructor(outlet: Outlet, patience: Patience, events: BranchEvents) {
    this.outlet = outlet;
    this.patience = patience;
    this.#events = events;
    this.#splices = outlet.splices;
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
    if (this.outlet.guest !== null) this.#tuning.end(this.outlet.guest);
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
    const { guest, file, sink } = this.outlet;
    this.#running = true;
    if (guest !== null) this.#push();
    else this.#work(file !== null ? () => this.#toFile() : () => this.#toSink(sink!.write));
  }

  /** Runs what waits for a thread, or for the runtime. */
  #work(task: () => Promise<void>): void {
    const working = task().catch((error) => this.#fail(error));
    // A write of the runtime may never end, and uses nothing of ours.
    if (this.outlet.sink === null) this.settled = working;
  }

  async #toFile(): Promise<void> {
    const file = this.outlet.file!;
    for (let lane = this.queue.first; lane && !this.#over; lane = this.queue.first) {
      verify(file, this.bytes);
      const moved = await lane.giveToFile(file.fd, () => this.pipe(LEAST_PIPE));
      if (moved > 0) this.#count(moved, lane);
      else if (moved === 0) return this.#events.short();
      else if (moved !== -EINTR && moved !== -EAGAIN) {
        return this.#fail(writeFailure(-moved, this.bytes));
      }
    }
    this.#running = false;
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

  /** Gives the descriptor what it takes now, and waits for it to take more. */
  #push(): void {
    const guest = this.outlet.guest!;
    if (this.#over) return;
    // The number is good for this turn: nothing of the runtime runs until we return.
    const fd = guest.fd();
    if (fd < 0) return this.#fail(connectionClosed({ syscall: "write", bytesMoved: this.bytes }));
    if (!this.#tuning.limited && guest.timed()) this.#tuning.limit(fd);
    if (this.bytes >= MUCH) this.#tuning.unpace(fd);
    if (guest.queued()) return this.#handOver(guest, fd);
    const before = this.bytes;
    let result = 0;
    for (let lane = this.queue.first; lane; lane = this.queue.first) {
      result = lane.give(fd);
      if (result > 0) this.#count(result, lane);
      else if (result !== -EINTR) break;
      if (this.bytes - before >= TURN) break;
    }
    if (this.bytes > before) guest.touch();
    const lane = this.queue.first;
    if (lane === undefined) this.#running = false;
    else if (result > 0) setImmediate(this.#again);
    else this.#held(result, guest, fd, lane);
  }

  #held(result: number, guest: Guest, fd: number, lane: Lane): void {
    if (result === -EAGAIN) return this.#handOver(guest, fd);
    if (result === 0) return this.#events.short();
    if (result === COLD) return this.#warm(lane as FileLane);
    if (SHORTAGE.has(-result)) {
      this.#timer = setTimeout(this.#again, SHORTAGE_MS);
      return;
    }
    if (!UNSUPPORTED.has(errnoName(-result)) || lane.method === "copy") {
      return this.#fail(writeFailure(-result, this.bytes));
    }
    // It cannot be given pages after all: bytes from here on.
    this.#splices = false;
    this.queue.replaceFirst(new BytesLane(lane.takeOut(lane.left), this));
    this.#push();
  }

  /** The bytes have left the page cache since the chunk was offered: a thread brings them back. */
  #warm(lane: FileLane): void {
    this.#work(async () => {
      await bringIn(lane.file, lane.position, lane.left);
      lane.warmed();
      this.#push();
    });
  }

  /**
   * Waits until the connection takes bytes again: the next byte goes through the runtime's own write,
   * whose callback says so. A guest without such a write is waited for by its descriptor.
   */
  #handOver(guest: Guest, fd: number): void {
    if (guest.write === null) return this.#waitFor(guest, fd);
    const lane = this.queue.first!;
    const one = lane.takeOut(1);
    if (one.length === 0) return this.#events.short();
    this.#count(1, lane);
    guest.write(one, (cause) => {
      if (this.#over) return;
      if (cause) {
        return this.#fail(connectionClosed({ syscall: "write", bytesMoved: this.bytes, cause }));
      }
      this.#push();
    });
  }

  #waitFor(guest: Guest, fd: number): void {
    try {
      this.#cancelWait = whenReady(fd, PollEvent.OUT, this.#again, (error) => {
        const closed = guest.fd() < 0;
        this.#fail(closed ? connectionClosed({ syscall: "write", bytesMoved: this.bytes }) : error);
      });
    } catch (error) {
      this.#fail(error as Error);
    }
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
