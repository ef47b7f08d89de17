/** Driver of writes that waits through the runtime's event loop. @module */

import type { RuntimeConnection } from "../../../runtime/types.ts";
import { PollEvent } from "../../../sys/flags/event.ts";
import { whenReady } from "../../../threads/poll/poll_ready.ts";
import { MUCH, Tuning } from "./tcp_tuning.ts";
import { COLD, MOST_STARVED, Outcome, outcomeOf, STARVED_MS } from "../step/outcome.ts";

/** Bytes after which other connections get their turn, like nginx's `sendfile_max_chunk`. */
export const TURN_BYTES: number = 2 * 1024 * 1024;

/** Result of a job whose `maxRate` allows nothing yet. */
export const PAUSED: number = COLD - 1;

/** What to write to a connection, and the callbacks. */
export interface WriteJob {
  /** Bytes left. At 0, the writer stops until it is started again. */
  readonly left: number;
  /** Writes some to the descriptor, by one step: its result, or {@linkcode PAUSED}. */
  give(fd: number): number;
  /** Takes the next byte, for the runtime's own write. Results as of {@linkcode give}. */
  takeByte(target: Uint8Array): number;
  /** Reads cold pages. */
  fill?(): Promise<unknown>;
  /** Milliseconds until `maxRate` allows more. */
  pauseMs?(): number;
  /** Called when the writer starts to wait. */
  waits?(): void;
  /** Called when everything has been written. */
  emptied(): void;
  /** Called when the step has ended for good, with 0 if the source fell short, or with `-errno`. */
  failed(result: number): void;
  /** Called when the connection has closed; `cause` is the runtime's own error. */
  lost(cause?: unknown): void;
  /** Called when waiting, or reading cold pages, has failed. */
  broke(error: Error): void;
}

/**
 * Writes to a connection without the runtime, turn by turn: only while the runtime's own queue is
 * empty, and never after it has closed the connection.
 *
 * Invariant: between turns, nothing is in flight except one counted byte that the runtime's queue
 * may hold. So the writer can stop at any time, and later writes through the runtime follow in
 * order.
 */
export class ConnectionWriter {
  readonly #connection: RuntimeConnection;
  readonly #job: WriteJob;
  readonly #watched: boolean;
  readonly #much: boolean;
  readonly #tuning = new Tuning();
  readonly #turn = () => this.#run();
  readonly #written = (error?: Error | null) => {
    if (this.#stopped) return;
    if (error) this.#job.lost(error);
    else this.#run();
  };
  #given = 0;
  #starved = 0;
  #running = false;
  #stopped = false;
  #cancelWait: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param total Total bytes, `Infinity` if unknown: small ones fit into the kernel's own buffer.
   * @param watched Whether progress is observed, so that few bytes may wait unsent in the kernel.
   */
  constructor(connection: RuntimeConnection, job: WriteJob, total: number, watched = false) {
    this.#connection = connection;
    this.#job = job;
    this.#watched = watched;
    this.#much = total >= MUCH;
    this.#tuning.limited = !this.#much;
  }

  /** Writes what the job has, in this turn of the event loop; it may end before it returns. */
  start(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    if (this.#much && this.#given === 0) this.#tuning.unpaceListener(this.#connection);
    this.#run();
  }

  /** Continues after {@linkcode WriteJob.failed} with another step. */
  again(): void {
    this.#run();
  }

  /** Stops for good, and restores the connection's congestion control for its owner. */
  stop(): void {
    this.#stopped = true;
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    clearTimeout(this.#timer);
    this.#tuning.end(this.#connection);
  }

  /** Runs one turn: at most {@linkcode TURN_BYTES}, plus the call that exceeds them. */
  #run(): void {
    if (this.#stopped) return;
    const connection = this.#connection;
    // The descriptor stays valid for this turn: no code of the runtime runs until we return.
    const fd = connection.fd();
    if (fd < 0) return this.#job.lost();
    if (!this.#tuning.limited && (this.#watched || connection.timed())) this.#tuning.limit(fd);
    // Don't wait for a full buffer: a reader of a broadcast that keeps up never lets it fill.
    if (this.#given >= MUCH) this.#tuning.unpace(fd);
    if (connection.queued() && this.#job.left > 0) return this.#handOver(fd);
    let given = 0;
    let result = 0;
    while (this.#job.left > 0 && given < TURN_BYTES && !this.#stopped) {
      result = this.#job.give(fd);
      if (result <= 0) break;
      given += result;
    }
    this.#given += given;
    if (given > 0) {
      this.#starved = 0;
      connection.touch();
    }
    if (!this.#stopped) this.#settle(result, fd);
  }

  /** Decides what to do after a step with this result. */
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
        return this.#handOver(fd);
      case Outcome.COLD:
        job.fill!().then(this.#turn, (error) => this.#broke(error));
        return;
      case Outcome.STARVED:
        if (++this.#starved > MOST_STARVED) return job.failed(result);
        this.#timer = setTimeout(this.#turn, STARVED_MS);
        return;
      default:
        return job.failed(result);
    }
  }

  /**
   * Waits until the connection takes bytes again.
   *
   * The next byte goes through the runtime's own write, whose callback runs once the socket is
   * writable. This needs no thread and no poller. For a connection without such a write, or with an
   * expensive one, waits on its descriptor.
   */
  #handOver(fd: number): void {
    const { polled, write } = this.#connection;
    const polls = write === null || polled === true && !this.#connection.queued();
    if (polls && this.#waitFor(fd)) return;
    const byte = new Uint8Array(1);
    const taken = this.#job.takeByte(byte);
    if (taken <= 0) return this.#settle(taken, fd);
    this.#given++;
    this.#job.waits?.();
    this.#connection.write!(byte, this.#written);
  }

  /** Waits on the descriptor; returns whether the runtime's own write is not needed. */
  #waitFor(fd: number): boolean {
    try {
      this.#cancelWait = whenReady(fd, PollEvent.OUT, this.#turn, (error) => {
        // If the runtime has closed the descriptor meanwhile, it has closed the connection.
        if (this.#connection.fd() < 0) this.#job.lost();
        else this.#job.broke(error);
      });
      this.#connection.whenClosed?.(this.#turn);
      return true;
    } catch (error) {
      if (this.#connection.write !== null) return false;
      this.#job.broke(error as Error);
      return true;
    }
  }

  #broke(error: Error): void {
    if (!this.#stopped) this.#job.broke(error);
  }
}
