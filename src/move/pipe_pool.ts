/** Pipes to move bytes through, kept for the next transfer. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { builtin } from "../builtins.ts";
import { SyscallError, UnsupportedError } from "../errors.ts";
import * as raw from "../sys/raw/mod.ts";
import { Pipe } from "./pipe.ts";

/**
 * Capacity of a pooled pipe in bytes. Copying 256 MiB from file to file through a pipe takes 50 to
 * 56 ms with this much and 62 to 72 by copy_file_range(2); with 64 KiB splice(2) loses to both
 * (measured on Linux 6.18, ext4, warm). More than this needs privileges.
 */
export const POOLED_CAPACITY: number = 1024 * 1024;

/**
 * Most bytes of pipes that this thread has, idle and in use; a quarter of what one user gets without
 * privileges: `pipe-user-pages-soft` in pipe(7). Beyond it pipes have the kernel's own capacity.
 */
export const BUDGET: number = 16 * 1024 * 1024;

/** Most pipes that are kept for later. */
const MOST_IDLE = 4;

/** How long the kept ones wait for another transfer, in milliseconds. */
export const IDLE_MS = 2000;

const idle: Pipe[] = [];
let total = 0;
let watching = false;
let timer: ReturnType<typeof setTimeout> | undefined;

/**
 * Takes an empty, non-blocking pipe. Give it back with {@linkcode givePipe}.
 *
 * @returns `null` when no descriptor is left: copy then.
 *
 * @throws {UnsupportedError} When the system has no such pipes.
 */
export function takePipe(): Pipe | null {
  const kept = idle.pop();
  if (kept !== undefined) return kept;
  try {
    const rich = total + POOLED_CAPACITY <= BUDGET;
    const pipe = new Pipe(rich ? { capacity: POOLED_CAPACITY } : {});
    total += pipe.capacity;
    return pipe;
  } catch (error) {
    if (error instanceof SyscallError && TOO_MANY.has(error.code)) return null;
    throw error;
  }
}

const TOO_MANY: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/**
 * Gives a pipe back; the caller must not use it again.
 *
 * One that is closed, small or not empty is not kept: its bytes would come out of somebody else's
 * transfer. Nobody may be inside a blocking splice(2) on it.
 */
export function givePipe(pipe: Pipe): void {
  const whole = pipe.readFd >= 0 && pipe.writeFd >= 0;
  const keep = whole && pipe.capacity >= POOLED_CAPACITY && idle.length < MOST_IDLE &&
    raw.ioctlInt(pipe.readFd, platform.ioctl.FIONREAD) === 0;
  if (!keep) return drop(pipe);
  idle.push(pipe);
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
  for (const pipe of idle.splice(0)) drop(pipe);
}

function drop(pipe: Pipe): void {
  total -= pipe.capacity;
  pipe.close();
}

/** What the pool holds, for tests: pipes that wait, and bytes of all that it has made. */
export function pipePool(): { idle: number; bytes: number } {
  return { idle: idle.length, bytes: total };
}

/** The error for a method that cannot do without a pipe, when {@linkcode takePipe} has none. */
export function pipeShortage(action: string): UnsupportedError {
  const reason = "no descriptor is left for a pipe; close some, or raise the limit (ulimit -n)";
  return new UnsupportedError({ action, reason });
}
