/** Driver of writes that waits by the runtime's event loop. @module */

import type { RuntimeConnection } from "../../../runtime/types.ts";
import { PollEvent } from "../../../sys/flags/event.ts";
import { whenReady } from "../../../threads/poll/poll_ready.ts";
import { MUCH, Tuning } from "./tcp_tuning.ts";
import { COLD, Outcome, outcomeOf, STARVED_MS } from "../step/outcome.ts";

/** Bytes after which the other connections get their turn: nginx's `sendfile_max_chunk`. */
export const TURN_BYTES: number = 2 * 1024 * 1024;

/** Result of a job whose `maxRate` allows nothing yet. */
export const PAUSED: number = COLD - 1;

/** What a writer gives to its connection, and who hears of the end. */
export interface WriteJob {
  /** Bytes that are left. With 0 the writer stops until it is started again. */
  readonly left: number;
  /** Gives some to the descriptor, by one step: its result, or {@linkcode PAUSED}. */
  give(fd: number): number;
  /** Takes out the next byte, for the runtime's own write. Results as of {@linkcode give}. */
  takeByte(target: Uint8Array): number;
  /** Reads in what was cold. */
  fill?(): Promise<unknown>;
  /** Milliseconds until `maxRate` allows more. */
  pauseMs?(): number;
  /** The writer begins to wait. */
  waits?(): void;
  /** All that there was has been given. */
  emptied(): void;
  /** The step has ended for good, with 0 where the source fell short, or with `-errno`. */
  failed(result: number): void;
  /** The connection is gone; `cause` is the runtime's own error. */
  lost(cause?: unknown): void;
  /** Waiting, or reading in, has failed. */
  broke(error: Error): void;
}

/**
 * Writes to a connection behind the runtime's back, turn by turn: only while the runtime's own queue
 * is empty, and never after it has closed the connection.
 *
 * Invariant: between turns nothing of ours is in flight except one byte that the runtime's queue may
 * hold, and that byte is counted. So the writer can be stopped at any time, and whatever is written
 * through the runtime afterwards follows on.
 */
export class ConnectionWriter {
  readonly #connection: RuntimeConnection;
  readonly #job: WriteJob;
  readonly #watched: boolean;
  readonly #tuning = new Tuning();
  readonly #turn = () => this.#run();
  readonly #written = (error?: Error | null) => {
    if (this.#stopped) return;
    if (error) this.#job.lost(error);
    else this.#run();
  };
  #given = 0;
  #running = false;
  #stopped = false;
  #cancelWait: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param total Bytes in all, `Infinity` where nobody knows: few go into the kernel's own buffer.
   * @param watched Whether somebody wants to see progress, so that little may wait unsent in the kernel.
   */
  constructor(connection: RuntimeConnection, job: WriteJob, total: number, watched = false) {
    this.#connection = connection;
    this.#job = job;
    this.#watched = watched;
    this.#tuning.limited = total < MUCH;
  }

  /** Writes what the job has, in this turn of the event loop; the end may come before it returns. */
  start(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    this.#run();
  }

  /** Goes on after {@linkcode WriteJob.failed}, with another step. */
  again(): void {
    this.#run();
  }

  /** Stops for good. The connection goes back to its owner with the congestion control that it had. */
  stop(): void {
    this.#stopped = true;
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    clearTimeout(this.#timer);
    this.#tuning.end(this.#connection);
  }

  /** One turn: at most {@linkcode TURN_BYTES}, and the call that goes beyond. */
  #run(): void {
    if (this.#stopped) return;
    const connection = this.#connection;
    // The number is good for this turn: nothing of the runtime runs until we return.
    const fd = connection.fd();
    if (fd < 0) return this.#job.lost();
    if (!this.#tuning.limited && (this.#watched || connection.timed())) this.#tuning.limit(fd);
    if (connection.queued() && this.#job.left > 0) return this.#handOver(fd);
    let given = 0;
    let result = 0;
    while (this.#job.left > 0 && given < TURN_BYTES && !this.#stopped) {
      result = this.#job.give(fd);
      if (result <= 0) break;
      given += result;
    }
    this.#given += given;
    if (given > 0) connection.touch();
    if (!this.#stopped) this.#settle(result, fd);
  }

  /** What is next, after a step with this result. */
  #settle(result: number, fd: number): void {
    const job = this.#job;
    if (job.left === 0) {
      this.#running = false;
      return job.emptied();
    }
    job.waits?.();
    if (result === PAUSED) {
      this.#timer = setTimeout(this.#turn, job.pauseMs!());
      return;
    }
    switch (outcomeOf(result)) {
      case Outcome.MOVED:
        setImmediate(this.#turn);
        return;
      case Outcome.BLOCKED:
        // Not at the first full buffer: a broadcast then costs a tenth more CPU time.
        if (this.#given >= MUCH) this.#tuning.unpace(fd);
        return this.#handOver(fd);
      case Outcome.COLD:
        job.fill!().then(this.#turn, (error) => this.#broke(error));
        return;
      case Outcome.STARVED:
        this.#timer = setTimeout(this.#turn, STARVED_MS);
        return;
      default:
        return job.failed(result);
    }
  }

  /**
   * Waits until the connection takes bytes again.
   *
   * The next byte goes through the runtime's own write: its callback comes once the socket is
   * writable, with no thread and no poller of ours. A connection without such a write is waited for by
   * its descriptor.
   */
  #handOver(fd: number): void {
    if (this.#connection.write === null) return this.#waitFor(fd);
    const byte = new Uint8Array(1);
    const taken = this.#job.takeByte(byte);
    if (taken <= 0) return this.#settle(taken, fd);
    this.#given++;
    this.#job.waits?.();
    this.#connection.write(byte, this.#written);
  }

  #waitFor(fd: number): void {
    try {
      this.#cancelWait = whenReady(fd, PollEvent.OUT, this.#turn, (error) => {
        // A runtime that has closed the descriptor meanwhile has closed the connection.
        if (this.#connection.fd() < 0) this.#job.lost();
        else this.#job.broke(error);
      });
    } catch (error) {
      this.#job.broke(error as Error);
    }
  }

  #broke(error: Error): void {
    if (!this.#stopped) this.#job.broke(error);
  }
}
