/** A pool of pipes to move bytes through. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { EXHAUSTIONS } from "../../errno.ts";
import { SyscallError, UnsupportedError } from "../../errors.ts";
import * as raw from "../../sys/raw/mod.ts";
import { Pipe } from "./pipe.ts";

/**
 * Capacity of a pooled pipe in bytes. Smaller pipes cost relaying more CPU time, and make splice(2)
 * slower than copy_file_range(2) between files: see the benches `relay` and `copy`. Larger ones
 * need privileges. An unprivileged user gets 64 pipes of this size, and smaller ones after that:
 * see pipe(7).
 */
export const PIPE_BYTES: number = 1024 * 1024;

/**
 * Maximum bytes of all pipes in the pool of a program's thread, idle and in use: a quarter of what
 * an unprivileged user gets (`pipe-user-pages-soft` in pipe(7)). Further pipes have the kernel's
 * default capacity.
 */
export const BUDGET: number = 16 * 1024 * 1024;

/** Milliseconds for which idle pipes of that pool are kept. */
export const IDLE_MS = 2000;

/**
 * Opens a pipe of this capacity, or of what the user may have.
 *
 * @param least Returns `null` if the pipe would hold less.
 * @returns `null` if the user may have no more pipes: copy then.
 *
 * @throws {UnsupportedError} When the system lacks such pipes.
 */
export function openPipe(capacity: number | undefined, least = 0): Pipe | null {
  try {
    const pipe = new Pipe({ capacity });
    if (pipe.capacity >= least) return pipe;
    pipe.close();
  } catch (error) {
    if (!(error instanceof SyscallError && EXHAUSTIONS.has(error.errno))) throw error;
  }
  return null;
}

/** Limits of a {@linkcode PipePool}. */
export interface PipePoolOptions {
  /** Maximum number of empty pipes to keep. */
  readonly idle: number;
  /** Maximum bytes of large pipes. */
  readonly budget: number;
  /** Minimum capacity of a pipe to keep, in bytes. */
  readonly least: number;
}

/** Empty, non-blocking pipes of one thread. */
export class PipePool {
  /** Number of open pipes, in use or idle. */
  open = 0;
  /** Total capacity of these in bytes. */
  bytes = 0;
  readonly #options: PipePoolOptions;
  readonly #idle: Pipe[] = [];

  constructor(options: PipePoolOptions) {
    this.#options = options;
  }

  /** Number of idle pipes. */
  get idle(): number {
    return this.#idle.length;
  }

  /** Takes an empty pipe; `null` if no descriptor is left. */
  take(): Pipe | null {
    const kept = this.#idle.pop();
    if (kept !== undefined) return kept;
    const rich = this.bytes + PIPE_BYTES <= this.#options.budget;
    const pipe = openPipe(rich ? PIPE_BYTES : undefined);
    if (pipe === null) return null;
    this.open++;
    this.bytes += pipe.capacity;
    return pipe;
  }

  /** Returns a pipe that is known to be empty. */
  give(pipe: Pipe): void {
    const { idle, least } = this.#options;
    if (this.#idle.length < idle && pipe.capacity >= least) this.#idle.push(pipe);
    else this.drop(pipe);
  }

  /** Closes a pipe; a pipe with bytes left must never be reused. */
  drop(pipe: Pipe): void {
    this.open--;
    this.bytes -= pipe.capacity;
    pipe.close();
  }

  /** Closes the idle pipes. */
  close(): void {
    for (const pipe of this.#idle.splice(0)) this.drop(pipe);
  }
}

/** Creates the pool of a relaying thread. Many pipes are in use only while receivers are slow. */
export function relayPool(): PipePool {
  return new PipePool({ idle: 16, budget: Infinity, least: 0 });
}

const pool = new PipePool({ idle: 4, budget: BUDGET, least: PIPE_BYTES });
let timer: ReturnType<typeof setTimeout> | undefined;
let watching = false;

/**
 * Takes an empty, non-blocking pipe from the pool of this thread. Return it with
 * {@linkcode givePipe}.
 *
 * @returns `null` if no descriptor is left: copy then.
 *
 * @throws {UnsupportedError} When the system lacks such pipes.
 */
export function takePipe(): Pipe | null {
  return pool.take();
}

/**
 * Returns a pipe; the caller must not use it again.
 *
 * A pipe that is closed, small or not empty is not kept: its bytes would appear in another
 * transfer. No blocking splice(2) may be in progress on it.
 */
export function givePipe(pipe: Pipe): void {
  const whole = pipe.readFd >= 0 && pipe.writeFd >= 0;
  if (!whole || raw.ioctlInt(pipe.readFd, platform.ioctl.FIONREAD) !== 0) return pool.drop(pipe);
  pool.give(pipe);
  closeAtExit();
  clearTimeout(timer);
  timer = setTimeout(closeIdlePipes, IDLE_MS);
  // The timer must not keep the process alive.
  timer.unref();
}

/** The end of the process closes its descriptors; the end of a Worker does not. */
function closeAtExit(): void {
  if (watching || builtin("worker_threads").isMainThread) return;
  watching = true;
  builtin("process").once("exit", closeIdlePipes);
}

/** Closes the idle pipes. */
export function closeIdlePipes(): void {
  clearTimeout(timer);
  timer = undefined;
  pool.close();
}

/** State of the pool, for tests: idle pipes, and bytes of all pipes. */
export function pipePool(): { idle: number; bytes: number } {
  return { idle: pool.idle, bytes: pool.bytes };
}

/** The error for a method that needs a pipe, when {@linkcode takePipe} has none. */
export function pipeShortage(action: string): UnsupportedError {
  const reason = "no descriptor is left for a pipe; close some, or raise the limit (ulimit -n)";
  return new UnsupportedError({ action, reason });
}
