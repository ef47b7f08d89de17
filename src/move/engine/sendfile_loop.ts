/** Sends a file, or a part of it, to a connection. @module */

import { errnoName, SyscallError } from "../../errors.ts";
import { HANGUPS, REFUSALS } from "../../errno.ts";
import type { CorkGuard } from "../../runtime/tcp.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import * as raw from "../../sys/raw/mod.ts";
import { WINDOW } from "../../page_cache/resident.ts";
import { connectionClosed } from "./connection/closed.ts";
import { ConnectionWriter, PAUSED, type WriteJob } from "./connection/writer.ts";
import { COLD } from "./step/outcome.ts";
import { sendfileStep } from "./step/sendfile.ts";
import type { TransferProgress } from "./progress.ts";
import { ReadAhead } from "../../page_cache/read_ahead.ts";

/** How a pump ended: `undefined` if everything was sent. */
export type PumpEnd = Error | undefined;

/** A step that moves bytes of a file to a descriptor: a count, 0 at the end of the file, or `-errno`. */
export type Move = (out: number, file: number, offset: number, count: number) => number;

/** Settings of a pump. */
export interface PumpOptions {
  /** Descriptor of the file; the caller owns it. */
  readonly file: number;
  /** First byte to send. */
  readonly start: number;
  /** Bytes to send. */
  readonly length: number;
  readonly connection: RuntimeConnection;
  readonly progress: TransferProgress;
  /** Ended by the pump once it has to wait, or by its owner at the end. */
  readonly cork: CorkGuard;
  /** Maximum bytes in one call. */
  readonly window?: number | undefined;
  /** The step, if not that of sendfile(2); its method has the name of its system call. */
  readonly move?: Move | undefined;
  /** The name of the method, if not `"sendfile"`. */
  readonly method?: string | undefined;
}

/**
 * Sends a part of a file until everything is sent or the call is refused.
 *
 * @param refusable Whether a refusal is not an error, because another call can continue.
 * @returns The first byte that was not sent: the end of the part, unless the call was refused.
 */
export async function pumpFile(options: PumpOptions, refusable: boolean): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const pump = new Pump(options, (end) => end === undefined ? resolve() : reject(end));
  try {
    pump.start();
    await promise;
  } catch (error) {
    const refused = error instanceof SyscallError && REFUSALS.has(error.errno);
    if (!refused || !refusable) throw error;
  } finally {
    await pump.idle;
  }
  return pump.position;
}

/** Sends `[position, end)` of a file to a connection. */
export class Pump implements WriteJob {
  /** First byte of the file that has not been sent. */
  position: number;
  readonly #file: number;
  readonly #end: number;
  readonly #progress: TransferProgress;
  readonly #cork: CorkGuard;
  readonly #window: number;
  readonly #move: Move;
  readonly #method: string;
  readonly #syscall: string;
  readonly #done: (end: PumpEnd) => void;
  readonly #gate: ReadAhead;
  readonly #writer: ConnectionWriter;
  #stopped = false;

  constructor(options: PumpOptions, done: (end: PumpEnd) => void) {
    const { file, start, length, connection, progress, cork } = options;
    this.#file = file;
    this.position = start;
    this.#gate = new ReadAhead(file, start);
    this.#end = start + length;
    this.#progress = progress;
    this.#cork = cork;
    this.#window = Math.min(options.window ?? WINDOW, WINDOW);
    this.#move = options.move ?? sendfileStep;
    this.#method = options.method ?? "sendfile";
    this.#syscall = options.move === undefined ? "sendfile" : this.#method;
    this.#done = done;
    this.#writer = new ConnectionWriter(connection, this, length, progress.watched);
    progress.whenAborted(() => this.#finish(progress.abortError()));
  }

  /** Settles once no thread reads the file for it: only then may it be closed. */
  get idle(): Promise<void> {
    return this.#gate.idle;
  }

  /** Starts in this turn of the event loop; it may end before it returns. */
  start(): void {
    if (this.#progress.aborted) this.#finish(this.#progress.abortError());
    else this.#writer.start();
  }

  /** Stops without an end; counted bytes are on their way, in order. */
  stop(): void {
    this.#stopped = true;
    this.#writer.stop();
  }

  get left(): number {
    return this.#end - this.position;
  }

  give(fd: number): number {
    const { left, position } = this;
    const wanted = this.#progress.allowance(Math.min(this.#window, left));
    if (wanted === 0) return PAUSED;
    const length = this.#gate.open(position, wanted);
    return length === 0 ? COLD : this.#count(this.#move(fd, this.#file, position, length));
  }

  /** Reads the next byte, from the page cache only. */
  takeByte(target: Uint8Array): number {
    const warm = this.#gate.open(this.position, 1) === 1;
    return warm ? this.#count(raw.pread(this.#file, target, this.position)) : COLD;
  }

  #count(moved: number): number {
    if (moved > 0) {
      this.position += moved;
      this.#progress.moved(moved, this.#method);
    }
    return moved;
  }

  fill(): Promise<void> {
    return this.#gate.fill(this.position, this.left);
  }

  pauseMs(): number {
    return this.#progress.pauseMs();
  }

  waits(): void {
    this.#cork.end();
  }

  emptied(): void {
    this.#finish(undefined);
  }

  failed(result: number): void {
    if (HANGUPS.has(result)) return this.lost({ code: errnoName(-result) });
    const action = `send ${this.#progress.nameOf(this.#file)}`;
    this.#finish(
      result === 0
        ? this.#progress.truncated(action)
        : this.#progress.failure(result, this.#syscall, action),
    );
  }

  lost(cause?: unknown): void {
    if (this.#progress.aborted) this.#finish(this.#progress.abortError());
    else if (cause instanceof SyscallError) this.#finish(cause);
    else {
      const bytesMoved = this.#progress.bytes;
      this.#finish(connectionClosed({ syscall: this.#syscall, bytesMoved, cause }));
    }
  }

  broke(error: Error): void {
    if (!(error instanceof SyscallError)) return this.#finish(error);
    const { syscall, errno } = error;
    this.#finish(
      this.#progress.failure(errno, syscall, `send ${this.#progress.nameOf(this.#file)}`),
    );
  }

  #finish(end: PumpEnd): void {
    if (this.#stopped) return;
    this.stop();
    this.#done(end);
  }
}
