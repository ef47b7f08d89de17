/** Whether the main thread of another process waits in the kernel. @module */

import { readFileSync } from "node:fs";

const STEP_MS = 5;

/** Fewer samples may be of several waits. */
const LEAST_SAMPLES = 4;

/** Where a thread is that waits for its events or for other threads, or that runs. */
const IDLE = /epoll|ep_poll|futex|^0?$/;

/** A wait. */
export interface Wait {
  readonly ms: number;
  /** Function of the kernel, as in `/proc/PID/wchan`. */
  readonly where: string;
}

function placeOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/wchan`, "latin1");
  } catch {
    return "";
  }
}

/**
 * Looks every few milliseconds where the main thread of a process is, until the returned function is
 * called, which tells its longest wait for anything but events and threads. A busy machine makes no such
 * wait.
 */
export function watchWaits(pid: number): () => Wait {
  let longest: Wait = { ms: 0, where: "" };
  let place = "";
  let since = 0;
  let samples = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    const where = placeOf(pid);
    if (where !== place) [place, since, samples] = [where, now, 0];
    samples++;
    const ms = now - since;
    if (samples >= LEAST_SAMPLES && ms > longest.ms && !IDLE.test(where)) longest = { ms, where };
  }, STEP_MS);
  return () => {
    clearInterval(timer);
    return longest;
  };
}
