/** The socket through which other threads wake a JavaScript thread. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { adopt, type AdoptedSocket, closeWithWorker } from "../runtime/adopt.ts";
import { check } from "../sys/check.ts";
import * as raw from "../sys/raw/mod.ts";
import { RecordReader } from "./completions.ts";

const SOCK_STREAM = 1;
// SOCK_NONBLOCK and SOCK_CLOEXEC have the values of the open(2) bits.
const FLAGS = SOCK_STREAM | platform.open.NONBLOCK | platform.open.CLOEXEC;

/** What arrives through a {@linkcode WakeSocket}. */
export interface WakeEvents {
  /** Called for each record. */
  completed(id: number, result: number): void;
  /** Called once when the runtime has closed its end: nothing arrives any more. */
  closed(error?: Error): void;
}

/**
 * A socket pair whose one end belongs to the runtime.
 *
 * Whoever writes completion records to the other end wakes this thread within 4 to 12 microseconds;
 * a message to its `MessagePort` takes 11 to 41. It keeps the process alive while it is referenced,
 * and at first it is not.
 */
export class WakeSocket {
  /** The end to write to. */
  readonly writeFd: number;
  readonly #socket: AdoptedSocket;
  readonly #closeWriter: () => number;

  /** Makes the pair. */
  constructor({ completed, closed }: WakeEvents) {
    const fds = new Int32Array(2);
    check(
      raw.socketpair(platform.socket.AF_UNIX, FLAGS, 0, fds),
      "socketpair",
      () => "make a socket to be woken by",
    );
    const reader = new RecordReader(completed);
    this.writeFd = fds[1]!;
    try {
      this.#socket = adopt(fds[0]!, { data: (bytes) => reader.feed(bytes), close: closed });
      this.#closeWriter = closeWithWorker(this.writeFd);
    } catch (error) {
      fds.forEach((fd) => raw.close(fd));
      throw error;
    }
  }

  /** Keeps the process alive. */
  ref(): void {
    this.#socket.ref();
  }

  /** Lets the process end. */
  unref(): void {
    this.#socket.unref();
  }

  /** Closes both ends; nobody may be writing any more. Call once. */
  close(): void {
    this.#socket.close();
    this.#closeWriter();
  }
}
