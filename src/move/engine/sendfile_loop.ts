/** The loop that sends a file to a connection by sendfile(2). @module */

import { errnoName, errnoNumber, SyscallError, TruncatedError } from "../../errors.ts";
import type { CorkGuard } from "../../runtime/tcp.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import * as raw from "../../sys/raw/mod.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { whenReady } from "../../threads/poll/poll_ready.ts";
import { WINDOW } from "../../page_cache/prefetch.ts";
import { connectionClosed } from "./connection_closed.ts";
import type { TransferProgress } from "./progress.ts";
import { ReadAhead } from "../../page_cache/read_ahead.ts";
import { MUCH, Tuning } from "./tcp_tuning.ts";

/** Bytes after which the other connections get their turn: nginx's `sendfile_max_chunk`. */
const TURN = 2 * 1024 * 1024;

/** Pause before another try when the kernel is short of memory, in milliseconds. */
const SHORTAGE_MS = 20;

const EAGAIN = errnoNumber("EAGAIN");
const EINTR = errnoNumber("EINTR");
const SHORTAGE: ReadonlySet<number> = new Set(["ENOMEM", "ENOBUFS"].map(errnoNumber));

/** How a pump ended: `undefined` when everything was sent. */
export type PumpEnd = Error | undefined;

/** Moves bytes of a file to a descriptor: a count, 0 at the end of the file, or `-errno`. */
export type Move = (out: number, file: number, offset: number, count: number) => number;

/** What a pump works on, and how. */
export interface PumpOptions {
  /** Descriptor of the file; stays the caller's. */
  readonly file: number;
  /** First byte to send. */
  readonly start: number;
  /** Bytes to send. */
  readonly length: number;
  readonly connection: RuntimeConnection;
  readonly progress: TransferProgress;
  /** Ended by the pump once it has to wait; its owner ends it at the end. */
  readonly cork: CorkGuard;
  /** Most bytes in one call. */
  readonly window?: number | undefined;
  /** The call, where it is not sendfile(2), and the name of its method. */
  readonly move?: Move | undefined;
  readonly method?: string | undefined;
}

const one = new Uint8Array(1);

/**
 * Sends `[position, end)` of a file to a connection, turn by turn.
 *
 * Invariant: between turns nothing of ours is in flight except bytes that the runtime's own queue
 * holds, and those are counted in {@linkcode position}. So the pump can be stopped at any time, and
 * whatever is written through the runtime afterwards follows on.
 */
export class Pump {
  /** First byte of the file that has not been sent. */
  position: number;
  readonly #file: number;
  readonly #end: number;
  readonly #connection: RuntimeConnection;
  readonly #progress: TransferProgress;
  readonly #cork: CorkGuard;
  readonly #window: number;
  readonly #move: Move;
  readonly #method: string;
  readonly #done: (end: PumpEnd) => void;
  readonly #turn = () => this.#run();
  readonly #written = (error?: Error | null) => error ? this.#lost(error) : this.#run();
  readonly #gate: ReadAhead;
  readonly #tuning = new Tuning();
  #cancelWait: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(options: PumpOptions, done: (end: PumpEnd) => void) {
    const { file, start, length, connection, progress, cork } = options;
    this.#file = file;
    this.position = start;
    this.#gate = new ReadAhead(file, start);
    this.#end = start + length;
    this.#connection = connection;
    this.#progress = progress;
    this.#cork = cork;
    this.#window = Math.min(options.window ?? WINDOW, WINDOW);
    this.#move = options.move ?? raw.sendfile;
    this.#method = options.method ?? "sendfile";
    this.#done = done;
    this.#tuning.limited = length < MUCH;
    progress.whenAborted(() => this.#finish(progress.abortError()));
  }

  /** Settles once no thread reads the file on our behalf: only then may it be closed. */
  get idle(): Promise<void> {
    return this.#gate.idle;
  }

  /** Begins, in this turn of the event loop; the end may come before it returns. */
  start(): void {
    this.#run();
  }

  /**
   * Stops without an end; what has been counted is on its way, in order. The connection goes back
   * to its owner with the congestion control that it had.
   */
  stop(): void {
    this.#stopped = true;
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    clearTimeout(this.#timer);
    this.#tuning.end(this.#connection);
  }

  #finish(end: PumpEnd): void {
    if (this.#stopped) return;
    this.stop();
    this.#done(end);
  }

  /** One turn: at most {@linkcode TURN} bytes, in calls of at most one window. */
  #run(): void {
    if (this.#stopped) return;
    if (this.#progress.aborted) return this.#finish(this.#progress.abortError());
    // The number is good for this turn: nothing of the runtime runs until we return.
    const fd = this.#connection.fd();
    if (fd < 0) return this.#lost();
    if (!this.#tuning.limited && (this.#progress.watched || this.#connection.timed())) {
      this.#tuning.limit(fd);
    }
    if (this.#connection.queued()) return this.#handOver(fd);
    this.#send(fd);
  }

  #send(fd: number): void {
    const before = this.position;
    const stop = Math.min(this.#end, before + TURN);
    while (this.position < stop) {
      const wanted = this.#progress.allowance(Math.min(this.#window, stop - this.position));
      if (wanted === 0) return this.#later(this.#progress.pauseMs(), before);
      const length = this.#gate.open(this.position, wanted);
      if (length === 0) return this.#fill(before);
      const moved = this.#move(fd, this.#file, this.position, length);
      if (moved > 0) {
        this.position += moved;
        this.#progress.moved(moved, this.#method);
      } else if (moved === 0) {
        return this.#finish(this.#truncated());
      } else if (moved === -EAGAIN) {
        if (this.#end - this.position >= MUCH) this.#tuning.unpace(fd);
        this.#rest(before);
        return this.#handOver(fd);
      } else if (SHORTAGE.has(-moved)) {
        return this.#later(SHORTAGE_MS, before);
      } else if (moved !== -EINTR) {
        return this.#finish(this.#failure(-moved));
      }
    }
    if (this.position === this.#end) return this.#finish(undefined);
    this.#rest(before);
    setImmediate(this.#turn);
  }

  /** What comes next is not in the page cache: a thread reads it in. */
  #fill(before: number): void {
    this.#rest(before);
    this.#gate.fill(this.position, this.#end - this.position).then(
      this.#turn,
      (error) => this.#finish(error),
    );
  }

  #later(ms: number, before: number): void {
    this.#rest(before);
    this.#timer = setTimeout(this.#turn, ms);
  }

  /** Ends a turn: tells the idle timers what has moved, and lets go what was held back. */
  #rest(before: number): void {
    if (this.position > before) this.#connection.touch();
    this.#cork.end();
  }

  /**
   * Waits until the connection takes bytes again.
   *
   * The next byte of the file goes through the runtime's own write: its callback comes once the
   * socket is writable, with no thread and no poller of ours. A connection without such a write is
   * waited for by its descriptor.
   */
  #handOver(fd: number): void {
    if (this.#connection.write === null) return this.#waitFor(fd);
    const read = this.#readOne();
    if (read === -EAGAIN) return this.#fill(this.position);
    if (read < 0) return this.#finish(this.#failure(-read, "preadv2"));
    if (read === 0) return this.#finish(this.#truncated());
    this.position++;
    this.#progress.moved(1, this.#method);
    this.#connection.write(one.slice(), this.#written);
  }

  #waitFor(fd: number): void {
    try {
      this.#cancelWait = whenReady(fd, PollEvent.OUT, this.#turn, (error) => {
        // A runtime that has closed the descriptor meanwhile has closed the connection.
        if (this.#connection.fd() < 0) return this.#lost();
        const known = error instanceof SyscallError;
        this.#finish(known ? this.#failure(-error.errno, error.syscall) : error);
      });
    } catch (error) {
      this.#finish(error as Error);
    }
  }

  /** Reads the next byte, from the page cache only. */
  #readOne(): number {
    return this.#gate.open(this.position, 1) === 1
      ? raw.pread(this.#file, one, this.position)
      : -EAGAIN;
  }

  /** The connection went away under us. */
  #lost(cause?: Error): void {
    if (this.#progress.aborted) return this.#finish(this.#progress.abortError());
    if (cause instanceof SyscallError) return this.#finish(cause);
    this.#finish(
      connectionClosed({ syscall: this.#method, bytesMoved: this.#progress.bytes, cause }),
    );
  }

  #failure(errno: number, syscall = this.#method): SyscallError {
    const bytesMoved = this.#progress.bytes;
    const code = errnoName(errno);
    return code === "EPIPE" || code === "ECONNRESET"
      ? connectionClosed({ syscall, code, bytesMoved })
      : new SyscallError({ syscall, errno, action: `send fd ${this.#file}`, bytesMoved });
  }

  #truncated(): TruncatedError {
    return new TruncatedError({
      action: `send fd ${this.#file}`,
      bytesMoved: this.#progress.bytes,
      bytesExpected: this.#progress.total,
    });
  }
}
