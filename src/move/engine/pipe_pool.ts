/** Pipes to move bytes through, kept for whoever moves bytes next. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { EXHAUSTIONS } from "../../errno.ts";
import { SyscallError, UnsupportedError } from "../../errors.ts";
import * as raw from "../../sys/raw/mod.ts";
import { Pipe } from "./pipe.ts";

/**
 * Capacity of a pooled pipe in bytes. With 64 KiB, relaying takes half again as much CPU time, and
 * from file to file splice(2) loses to copy_file_range(2) (benches `relay` and `copy`). More than
 * this needs privileges; a user without them gets 64 such pipes, and smaller ones after that: see
 * pipe(7).
 */
export const PIPE_BYTES: number = 1024 * 1024;

/**
 * Most bytes of pipes that the pool of a program's thread has, idle and in use; a quarter of what one
 * user gets without privileges: `pipe-user-pages-soft` in pipe(7). Beyond it pipes have the kernel's
 * own capacity.
 */
export const BUDGET: number = 16 * 1024 * 1024;

/** How long the pipes of that pool wait for another transfer, in milliseconds. */
export const IDLE_MS = 2000;

/**
 * Opens a pipe of this capacity, or of what the user may have.
 *
 * @param least `null` is returned for a pipe that would hold less.
 * @returns `null` where the user may have no more pipes: copy then.
 *
 * @throws {UnsupportedError} When the system has no such pipes.
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

/** How many pipes a {@linkcode PipePool} has. */
export interface PipePoolOptions {
  /** Most empty pipes that are kept. */
  readonly idle: number;
  /** Most bytes of large pipes. */
  readonly budget: number;
  /** Smallest capacity of a pipe that is kept, in bytes. */
  readonly least: number;
}

/** Empty, non-blocking pipes of one thread. */
export class PipePool {
  /** Pipes that are open, in use or kept. */
  open = 0;
  /** Bytes that they hold at most. */
  bytes = 0;
  readonly #options: PipePoolOptions;
  readonly #idle: Pipe[] = [];

  constructor(options: PipePoolOptions) {
    this.#options = options;
  }

  /** Pipes that are kept. */
  get idle(): number {
    return this.#idle.length;
  }

  /** Takes an empty pipe; `null` when no descriptor is left. */
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

  /** Takes back a pipe that is known to be empty. */
  give(pipe: Pipe): void {
    const { idle, least } = this.#options;
    if (this.#idle.length < idle && pipe.capacity >= least) this.#idle.push(pipe);
    else this.drop(pipe);
  }

  /** Closes a pipe; one with bytes left must never come to anybody else. */
  drop(pipe: Pipe): void {
    this.open--;
    this.bytes -= pipe.capacity;
    pipe.close();
  }

  /** Closes the pipes that are kept. */
  close(): void {
    for (const pipe of this.#idle.splice(0)) this.drop(pipe);
  }
}

/** Makes the pool of a thread that relays. More pipes are in use only while receivers are slow. */
export function relayPool(): PipePool {
  return new PipePool({ idle: 16, budget: Infinity, least: 0 });
}

const pool = new PipePool({ idle: 4, budget: BUDGET, least: PIPE_BYTES });
let timer: ReturnType<typeof setTimeout> | undefined;
let watching = false;

/**
 * Takes an empty, non-blocking pipe from the pool of this thread. Give it back with
 * {@linkcode givePipe}.
 *
 * @returns `null` when no descriptor is left: copy then.
 *
 * @throws {UnsupportedError} When the system has no such pipes.
 */
export function takePipe(): Pipe | null {
  return pool.take();
}

/**
 * Gives a pipe back; the caller must not use it again.
 *
 * One that is closed, small or not empty is not kept: its bytes would come out of somebody else's
 * transfer. Nobody may be inside a blocking splice(2) on it.
 */
export function givePipe(pipe: Pipe): void {
  const whole = pipe.readFd >= 0 && pipe.writeFd >= 0;
  if (!whole || raw.ioctlInt(pipe.readFd, platform.ioctl.FIONREAD) !== 0) return pool.drop(pipe);
  pool.give(pipe);
  closeAtExit();
  clearTimeout(timer);
  timer = setTimeout(closeIdlePipes, IDLE_MS);
  // It keeps no process alive.
  timer.unref();
}

/** The end of a process closes its descriptors; that of a Worker does not. */
function closeAtExit(): void {
  if (watching || builtin("worker_threads").isMainThread) return;
  watching = true;
  builtin("process").once("exit", closeIdlePipes);
}

/** Closes the pipes that nobody uses. */
export function closeIdlePipes(): void {
  clearTimeout(timer);
  timer = undefined;
  pool.close();
}

/** What the pool holds, for tests: pipes that wait, and bytes of all that it has made. */
export function pipePool(): { idle: number; bytes: number } {
  return { idle: pool.idle, bytes: pool.bytes };
}

/** The error for a method that cannot do without a pipe, when {@linkcode takePipe} has none. */
export function pipeShortage(action: string): UnsupportedError {
  const reason = "no descriptor is left for a pipe; close some, or raise the limit (ulimit -n)";
  return new UnsupportedError({ action, reason });
}
