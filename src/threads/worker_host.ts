/** Starting a Worker that blocks in the kernel, waking it, and ending it. @module */

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
import { threadId } from "./owner.ts";
import { WakeSocket } from "./wake_socket.ts";
import { startError, workerExecArgv, workerLocation } from "./worker_location.ts";
import { type Exit, offExit, onExit } from "./exit_hook.ts";

/** What a host runs, and whom it tells. */
export interface WorkerHostOptions {
  /** The job: URL of a module that exports `run` (see {@linkcode JobModule}), or a built-in name. */
  readonly job: URL | string;
  /** Handed to the job: structured-clone data. */
  readonly data?: unknown;
  /** Descriptors handed to the job. The host closes them once the Worker is gone, or cannot start. */
  readonly fds?: readonly number[];
  /** Name of the thread, for debuggers and for errors. */
  readonly name?: string;
  /** File to start instead of our own Worker entry; it must export what ours does. */
  readonly workerUrl?: URL | string | undefined;
  /**
   * Whether the job may be in a call that never returns, such as on a file system whose server is gone.
   * The runtimes wait for each thread before they end: the process then ends without that.
   */
  readonly mayHang?: boolean | undefined;
  /** Called for each completion that the job reports. Must not throw. */
  completed(id: number, result: number): void;
  /** Called once when the Worker has ended although nobody closed the host. Must not throw. */
  ended(error: Error): void;
}

/** Time that a closed host's Worker has to end by itself, in milliseconds. */
const CLOSE_MS = 2 * PARK_MS;

/** Adds one to an eventfd, in the byte order of both processors that we know. */
const ONE = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);

/**
 * A Worker that runs one job until it is closed.
 *
 * It keeps the process alive only while it is referenced, and at first it is not. Whatever ends
 * the process or the thread that made it ends it too, within a quarter of a second. A user's Worker
 * that is ended by `terminate()` runs no code of ours. On Deno the job then notices, ends, and closes
 * what it has. Node.js and Bun end the job's thread as well, in the middle: its descriptors stay open,
 * but for the host's sockets on Node.js: see `closeWithWorker`.
 */
export class WorkerHost {
  readonly #options: WorkerHostOptions;
  readonly #name: string;
  readonly #state = new Int32Array(new SharedArrayBuffer(8));
  readonly #fds: readonly number[];
  readonly #closers: (() => number)[];
  readonly #exited: Promise<void>;
  readonly #exit: Exit = { stop: () => this.#stop(), wait: (ms) => this.#waitAtExit(ms) };
  #wakeFd: number;
  #socket: WakeSocket | undefined;
  #port: MessagePort | undefined;
  #worker: Worker | undefined;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Starts the Worker. A failure that shows later is reported to `ended`.
   *
   * @throws {UnsupportedError} When Workers are not permitted, or there is no backend.
   * @throws {SyscallError} `EMFILE` or `ENFILE` when there are too many descriptors.
   */
  constructor(options: WorkerHostOptions) {
    this.#options = options;
    this.#name = options.name ?? "sluice";
    this.#fds = [...options.fds ?? []];
    this.#closers = this.#fds.map(closeWithWorker);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    this.#wakeFd = -1;
    try {
      this.#open();
      this.#start(resolve);
    } catch (cause) {
      this.#release();
      throw cause;
    }
  }

  /** Sends a command to the job. */
  post(command: unknown): void {
    this.#port?.postMessage(command);
    this.wake();
  }

  /** Makes the job's `wakeFd` readable, for what it is told by other means than a command. */
  wake(): void {
    if (this.#wakeFd >= 0) raw.write(this.#wakeFd, ONE);
  }

  /** Keeps the process alive until `unref()`. */
  ref(): void {
    this.#socket?.ref();
  }

  /** Lets the process end. */
  unref(): void {
    this.#socket?.unref();
  }

  /** Ends the Worker; resolves when it is gone. `terminate()` is the last resort. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    if (this.#worker === undefined) return;
    this.#stop();
    this.#socket?.ref(); // or the process might end before the promise settles
    const timer = setTimeout(() => void this.#worker?.terminate(), CLOSE_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #open(): void {
    // EFD_NONBLOCK and EFD_CLOEXEC have the values of the open(2) bits.
    const flags = platform.open.NONBLOCK | platform.open.CLOEXEC;
    this.#wakeFd = check(
      raw.eventfd(0, flags),
      "eventfd",
      () => `start the Worker "${this.#name}"`,
    );
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
    const { isMainThread, MessageChannel, Worker } = builtin("worker_threads");
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
      this.#worker = new Worker(location, {
        name: this.#name,
        workerData: { sluice: start },
        transferList: [port2],
        // It makes next to no garbage: this saves 2 to 4 MB.
        resourceLimits: { maxYoungGenerationSizeMb: 1 },
        ...workerExecArgv(),
      });
    } catch (cause) {
      throw startError(this.#name, location, cause);
    }
    debug(() => `Worker "${this.#name}" started from ${location.href}`);
    this.#worker.unref();
    this.#worker.on("error", (error) => this.#failure ??= this.#explain(location, error));
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

  #explain(location: URL, error: unknown): Error {
    const started = Atomics.load(this.#state, Slot.PHASE) !== Phase.STARTING;
    return started && error instanceof Error ? error : startError(this.#name, location, error);
  }

  /** Without the socket nothing would ever be reported: the Worker is of no more use. */
  #lose(error: Error | undefined): void {
    if (this.#worker === undefined) return;
    this.#failure ??= error ?? new Error(`The wake socket of "${this.#name}" was closed`);
    this.#worker.ref();
    this.#stop();
  }

  /** The flag first: a job that clears the eventfd asks for the flag before it waits again. */
  #stop(): void {
    Atomics.store(this.#state, Slot.STOP, 1);
    this.wake();
  }

  /**
   * Waits for the end of the job. A Worker that is cut off while it loads koffi takes the whole
   * process along: node-api aborts when an addon cannot even throw.
   */
  #waitAtExit(ms: number): boolean {
    for (const phase of [Phase.STARTING, Phase.PREPARING]) {
      Atomics.compareExchange(this.#state, Slot.PHASE, phase, Phase.DONE);
    }
    const result = Atomics.wait(this.#state, Slot.PHASE, Phase.RUNNING, ms);
    // The end of the process takes its descriptors along; a thread would leave them behind.
    if (result !== "timed-out" && !builtin("worker_threads").isMainThread) this.#release();
    return result === "timed-out" && this.#options.mayHang === true;
  }

  /** Frees everything; only once the job runs no more, since it uses the same numbers. */
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
