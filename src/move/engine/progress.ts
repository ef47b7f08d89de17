/** Progress, rate limit and abort of a transfer, the same for every method. @module */

import { AbortError, SyscallError, TruncatedError } from "../../errors.ts";
import { describe, type FlowOptions, type TransferResult } from "../../options.ts";
import { type Operation, publish, publishStart, type TransferTrace } from "./diagnostics.ts";

const PROGRESS_MS = 100;
const MOST_PAUSE_MS = 1000;

/** Minimum bytes that are worth a call: those of a fiftieth of a second. */
function grainOf(maxRate: number): number {
  return Math.max(1, maxRate / 50);
}

/** Result of a transfer, with the names of its methods. */
interface ProgressReport<M extends string> extends TransferResult {
  method: M | "none";
  methods: M[];
}

/** The options of one running transfer, and its state. */
export class TransferProgress {
  /** Payload bytes moved. */
  bytes = 0;
  /** Payload bytes to move. */
  readonly total: number;
  /** Methods that moved some of them, in the order of first use. */
  readonly methods: string[] = [];
  /** Method that moved the last of them. */
  #method = "none";
  readonly #options: FlowOptions;
  readonly #operation: Operation;
  readonly #startedMs = performance.now();
  #idleMs = 0;
  #reportedMs = -Infinity;
  #reportedBytes = -1;
  #onAbort: (() => void) | undefined;
  #trace: TransferTrace | undefined;

  /** What sluice opened itself: the path of the source, for error messages. */
  readonly #path: string | URL | undefined;

  constructor(
    options: FlowOptions,
    total: number,
    operation: Operation = "transfer",
    path: unknown = undefined,
  ) {
    this.#options = options;
    this.total = total;
    this.#operation = operation;
    this.#path = typeof path === "string" || path instanceof URL ? path : undefined;
  }

  /** What messages call the source, whose descriptor is `fd`: by its path if it was opened by that. */
  nameOf(fd: number): string {
    return this.#path === undefined ? `fd ${fd}` : describe(String(this.#path));
  }

  /** Method that moved the last bytes; `"none"` before the first. */
  get method(): string {
    return this.#method;
  }

  /** Wall time since the start, in milliseconds. */
  get elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  /** The caller's signal, if any. */
  get signal(): AbortSignal | undefined {
    return this.#options.signal;
  }

  /** Whether the caller observes the progress. */
  get watched(): boolean {
    return this.#options.onProgress !== undefined;
  }

  /** Whether the caller's signal has fired. */
  get aborted(): boolean {
    return this.#options.signal?.aborted ?? false;
  }

  /** The error for a fired signal. */
  abortError(): AbortError {
    return new AbortError(this.bytes, this.#options.signal?.reason);
  }

  /** The error for a truncated file; `action` follows "Cannot". */
  truncated(action: string): TruncatedError {
    return new TruncatedError({ action, bytesMoved: this.bytes, bytesExpected: this.total });
  }

  /** The error for a call that failed with `-errno`; `action` follows "Cannot". */
  failure(result: number, syscall: string, action: string): SyscallError {
    return new SyscallError({ syscall, errno: -result, action, bytesMoved: this.bytes });
  }

  /**
   * Calls `listener` when the signal fires, replacing an earlier one, until {@linkcode run} has
   * ended.
   */
  whenAborted(listener: () => void): void {
    this.#forgetAbort();
    this.#onAbort = listener;
    this.#options.signal?.addEventListener("abort", listener, { once: true });
  }

  /** Waits for `task`, but not longer than until the signal fires. */
  async unlessAborted<T>(task: Promise<T>): Promise<T> {
    if (this.signal === undefined) return await task;
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = () => reject(this.abortError());
    this.signal.addEventListener("abort", abort, { once: true });
    if (this.aborted) abort();
    try {
      return await Promise.race([task, promise]);
    } finally {
      this.signal.removeEventListener("abort", abort);
    }
  }

  /** Counts bytes, and reports them if the last report is old enough. */
  moved(count: number, method: string): void {
    this.bytes += count;
    if (method !== this.#method) this.#began(method);
    const { onProgress } = this.#options;
    if (onProgress === undefined) return;
    const now = performance.now();
    if (now - this.#reportedMs < PROGRESS_MS) return;
    this.#reportedMs = now;
    this.#reportedBytes = this.bytes;
    onProgress({ bytes: this.bytes, total: this.total, method });
  }

  #began(method: string): void {
    this.#method = method;
    if (!this.methods.includes(method)) this.methods.push(method);
  }

  /**
   * How many of `wanted` bytes `maxRate` allows now; 0 means to ask again in {@linkcode pauseMs}.
   *
   * Allows nothing before a grain is due: repeated requests for a few bytes would be a busy loop.
   */
  allowance(wanted: number): number {
    const { maxRate } = this.#options;
    if (maxRate === undefined) return wanted;
    const due = this.#due(maxRate);
    return due >= Math.min(wanted, grainOf(maxRate)) ? Math.min(wanted, due) : 0;
  }

  /**
   * Waits until `maxRate` allows some of `wanted` bytes; returns how many.
   *
   * @throws {AbortError} When the signal has fired, or fires meanwhile.
   */
  async allowed(wanted: number): Promise<number> {
    for (;;) {
      if (this.aborted) throw this.abortError();
      const allowed = this.allowance(wanted);
      if (allowed > 0 || wanted === 0) return allowed;
      await this.unlessAborted(new Promise((resolve) => setTimeout(resolve, this.pauseMs())));
    }
  }

  /** Milliseconds until `maxRate` allows more. */
  pauseMs(): number {
    const { maxRate } = this.#options;
    if (maxRate === undefined) return 0;
    const missing = grainOf(maxRate) - this.#due(maxRate);
    return Math.min(MOST_PAUSE_MS, Math.max(1, Math.ceil((missing * 1000) / maxRate)));
  }

  /** Bytes allowed by now, plus a tenth of a second, because timers are late. */
  #due(maxRate: number): number {
    return Math.floor(((this.elapsedMs - this.#idleMs) / 1000 + 0.1) * maxRate) - this.bytes;
  }

  /** Waits for something that `maxRate` must not make up for later. */
  async idle<T>(task: Promise<T>): Promise<T> {
    const sinceMs = performance.now();
    try {
      return await this.unlessAborted(task);
    } finally {
      this.#idleMs += performance.now() - sinceMs;
    }
  }

  /**
   * Runs the transfer; reports the final count, and publishes the result on the diagnostics
   * channel.
   */
  async run<T>(task: () => Promise<T>): Promise<T> {
    let error: Error | undefined;
    this.begin();
    try {
      return await task();
    } catch (cause) {
      throw error = cause as Error;
    } finally {
      this.#forgetAbort();
      if (error === undefined && this.bytes !== this.#reportedBytes) {
        const { bytes, method, total } = this;
        this.#options.onProgress?.({ bytes, total, method });
      }
      this.publish(error);
    }
  }

  /** Like {@linkcode run}, and returns the result of the transfer. */
  async report<M extends string>(task: () => Promise<void>): Promise<ProgressReport<M>> {
    await this.run(async () => {
      if (this.aborted) throw this.abortError();
      await task();
    });
    const { bytes, method, methods, elapsedMs: durationMs } = this;
    return { bytes, method: method as M | "none", methods: [...methods] as M[], durationMs };
  }

  #forgetAbort(): void {
    if (this.#onAbort !== undefined) this.signal?.removeEventListener("abort", this.#onAbort);
    this.#onAbort = undefined;
  }

  /** Publishes the start on the tracing channel. */
  begin(): void {
    this.#trace = publishStart(this.#operation, this.total);
  }

  /** Publishes the result on the diagnostics channels. */
  publish(error: Error | undefined): void {
    const { bytes, elapsedMs: durationMs } = this;
    const operation = this.#operation;
    publish({ operation, bytes, method: this.#method, durationMs, error }, this.#trace);
  }
}
