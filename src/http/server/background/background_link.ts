/** A serving thread's connection to a background thread, which is started when it is needed. @module */

import type { Loop } from "../../../threads/loop/loop.ts";
import { Frames } from "./frames.ts";

/** Milliseconds before a background thread that could not start, or has ended, is started again. */
const RETRY_MS = 1000;

/** Is given the answer, or `undefined` where there will be none. */
export type Answered = (message: Uint8Array | undefined) => void;

interface Waiting {
  /** The request; `undefined` once it is sent. */
  message: Uint8Array | undefined;
  readonly answered: Answered;
}

/**
 * Sends requests to a background thread, and starts it for the first of them. If the thread ends, its
 * requests fail; it is started again for the first request after a second.
 */
export class BackgroundLink {
  readonly #loop: Loop;
  readonly #start: () => void;
  readonly #waiting = new Map<number, Waiting>();
  #frames: Frames | undefined;
  #fd = -1;
  #starting = false;
  #failedAt = -Infinity;
  #serial = 0;
  #lastId = 0;

  /** `start` asks for a background thread; {@linkcode connect} says what came of it. */
  constructor(loop: Loop, start: () => void) {
    this.#loop = loop;
    this.#start = start;
  }

  /** Whether the background thread could not be started, or ended, a moment ago: requests fail. */
  get gone(): boolean {
    return this.#frames === undefined && this.#loop.now - this.#failedAt < RETRY_MS;
  }

  /** Whether there is a background thread. */
  get connected(): boolean {
    return this.#frames !== undefined;
  }

  /** Number of the background thread: another one does not know what this one was told. */
  get serial(): number {
    return this.#serial;
  }

  /**
   * Sends a request. `answered` is called later.
   *
   * @param serial The background thread that it is for; any, if not given.
   */
  send(message: Uint8Array, answered: Answered, serial?: number): void {
    const id = this.#lastId = (this.#lastId + 1) >>> 0;
    const waiting: Waiting = { message, answered };
    this.#waiting.set(id, waiting);
    const known = serial === undefined || this.connected && serial === this.#serial;
    if (this.gone || !known) {
      this.#loop.again({ onTurn: () => this.#end(id, undefined) });
    } else if (this.#frames === undefined) this.#ask();
    else this.#send(id, waiting);
  }

  /** The thread was started, or not: `fd`, which becomes the link's, is a socket to it; -1 for none. */
  connect(fd: number): void {
    this.#starting = false;
    // The one before has ended, if its end has not been noticed yet.
    this.#frames?.readAll();
    if (fd < 0) return this.#fail();
    this.#serial++;
    this.#fd = fd;
    this.#frames = new Frames(this.#loop, fd, {
      received: (id, message) => this.#end(id, message),
      ended: () => this.#fd === fd && this.#lose(),
    });
    for (const [id, waiting] of this.#waiting) this.#send(id, waiting);
  }

  /** Reads the last answers, when the background thread and the loop have ended. */
  readAll(): void {
    this.#frames?.readAll();
  }

  /** Lets all requests fail, when the loop has ended. */
  close(): void {
    this.#lose();
  }

  #ask(): void {
    if (this.#starting) return;
    this.#starting = true;
    this.#start();
  }

  #send(id: number, waiting: Waiting): void {
    const { message } = waiting;
    waiting.message = undefined;
    // Where it cannot be sent, the end of the background thread follows.
    if (message !== undefined) this.#frames!.send(id, message);
  }

  #lose(): void {
    if (this.#fd >= 0) this.#loop.close(this.#fd);
    this.#fd = -1;
    this.#frames = undefined;
    this.#fail();
  }

  #fail(): void {
    this.#failedAt = this.#loop.now;
    for (const id of [...this.#waiting.keys()]) this.#end(id, undefined);
  }

  #end(id: number, message: Uint8Array | undefined): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.answered(message);
  }
}
