/** The pipes of one relaying thread. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { OpenFlag } from "../../sys/flags/file.ts";
import * as raw from "../../sys/raw/mod.ts";

/**
 * Capacity asked for. With 64 KiB the same relaying takes half again as much CPU time; a user
 * without privileges gets 64 pipes of this size, and smaller ones after that: see pipe(7).
 */
export const PIPE_BYTES: number = 1024 * 1024;

/** Empty pipes that are kept. More are in use only while more receivers than that are slow. */
const KEPT = 16;

const FLAGS = OpenFlag.NONBLOCK | OpenFlag.CLOEXEC;
const fds = new Int32Array(2);

/** The two ends of a pipe. */
export interface PipeEnds {
  readonly readFd: number;
  readonly writeFd: number;
}

/** Empty pipes for whoever has bytes to move at the moment; idle connections have none. */
export class Pipes {
  readonly #free: PipeEnds[] = [];
  #open = 0;

  /** Pipes that are open, in use or kept. */
  get open(): number {
    return this.#open;
  }

  /** Takes an empty pipe; `undefined` when no descriptor is left. */
  take(): PipeEnds | undefined {
    const kept = this.#free.pop();
    if (kept !== undefined) return kept;
    if (raw.pipe2(fds, FLAGS) < 0) return undefined;
    this.#open++;
    const pipe = { readFd: fds[0]!, writeFd: fds[1]! };
    // It may be refused: what a pipe holds is never assumed.
    raw.fcntl(pipe.writeFd, platform.fcntl.SETPIPE_SZ, PIPE_BYTES);
    return pipe;
  }

  /** Takes back a pipe that is empty. */
  give(pipe: PipeEnds): void {
    if (this.#free.length < KEPT) this.#free.push(pipe);
    else this.drop(pipe);
  }

  /** Closes a pipe; one with bytes left must never come to anybody else. */
  drop({ readFd, writeFd }: PipeEnds): void {
    raw.close(readFd);
    raw.close(writeFd);
    this.#open--;
  }

  /** Closes the pipes that nobody uses. */
  close(): void {
    for (const pipe of this.#free.splice(0)) this.drop(pipe);
  }
}
