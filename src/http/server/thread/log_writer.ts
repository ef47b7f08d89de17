/** Writes lines to a descriptor in few calls, without ever waiting for the reader. @module */

import { EAGAIN, EINTR } from "../../../errno.ts";
import { PollEvent } from "../../../sys/flags/event.ts";
import * as raw from "../../../sys/raw/mod.ts";
import type { Loop, Task } from "../../../threads/loop/loop.ts";
import { Timer } from "../../../threads/loop/timers.ts";

/** Maximum bytes that wait for the reader; further lines are dropped and counted. */
const MOST_WAITING = 1024 * 1024;

/** Milliseconds before a slow reader is tried again. */
const RETRY_MS = 50;

const encoder = new TextEncoder();

/** Lines of one thread. Each call writes whole lines unless the reader is slow. */
export class LogWriter implements Task {
  readonly #fd: number;
  readonly #loop: Loop;
  readonly #lost: () => void;
  readonly #retry: Timer = new Timer({ onTimeout: () => this.onTurn() });
  #lines = "";
  #rest: Uint8Array = new Uint8Array(0);
  #queued = false;

  /** Writes to `fd`; calls `lost` for each line that is dropped. */
  constructor(loop: Loop, fd: number, lost: () => void) {
    this.#loop = loop;
    this.#fd = fd;
    this.#lost = lost;
  }

  /** Adds a line, including its terminator. */
  add(line: string): void {
    if (this.#lines.length + this.#rest.length > MOST_WAITING) return this.#lost();
    this.#lines += line;
    if (this.#queued) return;
    this.#queued = true;
    this.#loop.again(this);
  }

  /** Called by the loop after the events of a turn. */
  onTurn(): void {
    this.#queued = false;
    this.flush();
    if (this.#rest.length === 0 || this.#queued) return;
    this.#queued = true;
    this.#loop.timers.start(this.#retry, RETRY_MS);
  }

  /** Writes as much as the reader takes now. */
  flush(): void {
    for (;;) {
      if (this.#rest.length === 0) {
        if (this.#lines === "") return;
        this.#rest = encoder.encode(this.#lines);
        this.#lines = "";
      }
      // Writing to a full, blocking pipe would block the whole thread.
      if (raw.poll(this.#fd, PollEvent.OUT, 0) <= 0) return;
      const written = raw.write(this.#fd, this.#rest);
      if (written === EAGAIN) return;
      if (written < 0 && written !== EINTR) {
        // The disk is full, or the reader has closed.
        this.#lost();
        this.#rest = new Uint8Array(0);
      } else if (written > 0) this.#rest = this.#rest.subarray(written);
    }
  }
}
