/** Starts, wakes and ends a Worker that blocks in the kernel. @module */

import type { MessagePort, Worker } from "node:worker_threads";
import { platform } from "../../ffi/platform/mod.ts";
import { builtin } from "../builtins.ts";
import { debug } from "../debug.ts";
import { errnoNumber, SyscallError } from "../errors.ts";
import { closeWithWorker } from "../runtime/adopt.ts";
import { descriptorShortage } from "../runtime/spare_descriptors.ts";
import { check } from "../sys/check.ts";
import * as raw from "../sys/raw/mod.ts";
import { NESTED_PARK_MS, PARK_MS, Phase, Slot, type WorkerStart } from "./job.ts";
import { startWorker } from "./early_worker.ts";
import { threadId } from "./owner.ts";
import { signalEventfd, WakeSocket } from "./wake_socket.ts";
import { startError, workerLocation } from "./worker_location.ts";
import { type Exit, offExit, onExit } from "./exit_hook.ts";

/** The job of a host, and its callbacks. */
export interface WorkerHostOptions {
  /**
   * The job: URL of a module that exports `run` (see {@linkcode JobModule}), or a built-in name.
   */
  readonly job: URL | string;
  /** Passed to the job: structured-clone data. */
  readonly data?: unknown;
  /**
   * Descriptors passed to the job. The host closes them once the Worker has ended or failed to
   * start.
   */
  readonly fds?: readonly number[];
  /** Name of the thread, for debuggers and errors. */
  readonly name?: string;
  /** File to start instead of sluice's Worker entry; it must have the same exports. */
  readonly workerUrl?: URL | string | undefined;
  /**
   * Whether a call of the job may never return, as on a file system whose server is gone. The
   * runtimes wait for each thread before they end; with this flag, the process ends without it.
   */
  readonly mayHang?: boolean | undefined;
  /** Called for each completion that the job reports. Must not throw. */
  completed(id: number, result: number): void;
  /** Called once if the Worker ends without a call to `close()`. Must not throw. */
  ended(error: Error): void;
}

/** Milliseconds before a closed host terminates its Worker: see docs/decisions/29-slow-is-not-stuck.md. */
const CLOSE_MS = 10_000;

/** Milliseconds that `close()` waits for a job that may never end; the job itself has as long as others. */
const HANGING_CLOSE_MS = 2 * PARK_MS;

/**
 * A Worker that runs one job until it is closed.
 *
 * It keeps the process alive only while it is referenced; initially it is not. The end of the
 * process, or of the thread that created it, ends it too, within a quarter of a second. A user's
 * Worker that is ended by `terminate()` runs no exit hook. On Deno the job then notices, ends,
 * and closes its descriptors. Node.js and Bun stop the job's thread at any point: its descriptors
 * stay open, except the host's sockets on Node.js (see `closeWithWorker`).
 */
export class WorkerHost {
  readonly #options: WorkerHostOptions;
  readonly #name: string;
  readonly #state = new Int32Array(new SharedArrayBuffer(8));
  readonly #fds: readonly number[];
  readonly #closers: (() => number)[];
  readonly #exited: Promise<void>;
  readonly #exit: Exit;
  #wakeFd: number;
  #socket: WakeSocket | undefined;
  #port: MessagePort | undefined;
  #worker: Worker | undefined;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Starts the Worker. Reports a later failure to `ended`.
   *
   * @throws {UnsupportedError} When the permissions forbid Workers, or no backend is available.
   * @throws {SyscallError} `EMFILE` or `ENFILE` when too many descriptors are open.
   */
  constructor(options: WorkerHostOptions) {
    this.#options = options;
    this.#name = options.name ?? "sluice";
    this.#fds = [...options.fds ?? []];
    this.#closers = this.#fds.map(closeWithWorker);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    this.#exit = {
      mayHang: options.mayHang === true,
      stop: () => this.#stop(),
      wait: (ms) => this.#waitAtExit(ms),
    };
    this.#wakeFd = -1;
    try {
      this.#open();
      this.#start(resolve);
    } catch (cause) {
      this.#release();
      throw cause;
    }
  }

  /** Whether the Worker has loaded: one that ends before cannot start here. */
  get started(): boolean {
    return Atomics.load(this.#state, Slot.PHASE) !== Phase.STARTING;
  }

  /** Sends a command to the job. */
  post(command: unknown): void {
    this.#port?.postMessage(command);
    this.wake();
  }

  /** Makes the job's `wakeFd` readable, for messages outside of commands. */
  wake(): void {
    const written = this.#wakeFd < 0 ? 0 : signalEventfd(this.#wakeFd);
    if (written >= 0 || this.#failure !== undefined) return;
    // The job would answer nothing any more.
    const action = `wake the Worker "${this.#name}"`;
    this.#lose(new SyscallError({ syscall: "write", errno: -written, action }));
  }

  /** Keeps the process alive until `unref()`. */
  ref(): void {
    this.#socket?.ref();
  }

  /** Lets the process end. */
  unref(): void {
    this.#socket?.unref();
  }

  /**
   * Ends the Worker; resolves when it is gone. `terminate()` is the last resort. One that may hang is not
   * waited for: it ends, and gives its descriptors back, when its call returns.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    if (this.#worker === undefined) return;
    this.#stop();
    this.#socket?.ref(); // otherwise the process might end before the promise settles
    const timer = setTimeout(() => void this.#worker?.terminate(), CLOSE_MS);
    this.#exited.finally(() => clearTimeout(timer)).catch(() => {});
    if (this.#options.mayHang !== true) return await this.#exited;
    const { promise: left, resolve } = Promise.withResolvers<void>();
    const limit = setTimeout(() => {
      timer.unref();
      this.#socket?.unref();
      resolve();
    }, HANGING_CLOSE_MS);
    await Promise.race([this.#exited, left]);
    clearTimeout(limit);
  }

  #open(): void {
    // EFD_NONBLOCK and EFD_CLOEXEC equal the open(2) bits.
    const flags = platform.open.NONBLOCK | platform.open.CLOEXEC;
    const action = () => `start the Worker "${this.#name}"`;
    this.#wakeFd = check(raw.eventfd(0, flags), "eventfd", action);
    this.#socket = new WakeSocket({
      completed: (id, result) => this.#options.completed(id, result),
      closed: (error) => this.#lose(error),
    });
  }

  #start(exited: () => void): void {
    const shortage = descriptorShortage();
    if (shortage !== undefined) {
      const action = `start the Worker "${this.#name}"`;
      throw new SyscallError({ syscall: "open", errno: errnoNumber(shortage), action });
    }
    const { isMainThread, MessageChannel } = builtin("worker_threads");
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.unref();
    const start: WorkerStart = {
      job: String(this.#options.job),
      data: this.#options.data,
      fds: this.#fds,
      wakeFd: this.#wakeFd,
      completionFd: this.#socket!.writeFd,
      parkMs: isMainThread ? PARK_MS : NESTED_PARK_MS,
      owner: isMainThread ? 0 : threadId(),
      port: port2,
      state: this.#state,
    };
    const location = workerLocation(this.#options.workerUrl);
    try {
      this.#worker = startWorker(location, this.#name, start);
    } catch (cause) {
      throw startError(this.#name, location, cause);
    }
    debug(() => `Worker "${this.#name}" started from ${location.href}`);
    this.#worker.on("error", (error) => {
      const ran = this.started && error instanceof Error;
      this.#failure ??= ran ? error : startError(this.#name, location, error);
    });
    this.#worker.on("exit", () => {
      this.#worker = undefined;
      debug(() => `Worker "${this.#name}" has ended`);
      this.#release();
      exited();
      if (this.#closing !== undefined) return;
      this.#options.ended(this.#failure ?? new Error(`The Worker "${this.#name}" has ended`));
    });
    onExit(this.#exit);
  }

  /** Without the socket, no completion could be reported: end the Worker. */
  #lose(error: Error | undefined): void {
    if (this.#worker === undefined) return;
    this.#failure ??= error ?? new Error(`The wake socket of "${this.#name}" was closed`);
    this.#worker.ref();
    this.#stop();
  }

  /** Set the flag first: a job that clears the eventfd checks the flag before it waits again. */
  #stop(): void {
    Atomics.store(this.#state, Slot.STOP, 1);
    this.wake();
  }

  /**
   * Waits for the end of the job. Terminating a Worker while it loads koffi would abort the whole
   * process: node-api aborts when an addon cannot throw.
   */
  #waitAtExit(ms: number): boolean {
    for (const phase of [Phase.STARTING, Phase.PREPARING]) {
      Atomics.compareExchange(this.#state, Slot.PHASE, phase, Phase.DONE);
    }
    const result = Atomics.wait(this.#state, Slot.PHASE, Phase.RUNNING, ms);
    // The end of the process closes its descriptors; the end of a thread does not.
    if (result !== "timed-out" && !builtin("worker_threads").isMainThread) this.#release();
    return result === "timed-out" && this.#options.mayHang === true;
  }

  /** Frees everything. Call only when the job has ended, because it uses the same descriptors. */
  #release(): void {
    offExit(this.#exit);
    this.#port?.close();
    this.#socket?.close();
    this.#socket = undefined;
    if (this.#wakeFd >= 0) raw.close(this.#wakeFd);
    this.#wakeFd = -1;
    for (const close of this.#closers.splice(0)) close();
  }
}
