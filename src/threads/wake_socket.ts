/** How threads wake each other: a socket for a JavaScript thread, an eventfd for a job. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { EAGAIN, EINTR } from "../errno.ts";
import { adopt, type AdoptedSocket, closeWithWorker } from "../runtime/adopt.ts";
import { check } from "../sys/check.ts";
import * as raw from "../sys/raw/mod.ts";
import { RecordReader } from "./completions.ts";

const SOCK_STREAM = 1;
// SOCK_NONBLOCK and SOCK_CLOEXEC equal the open(2) bits.
const FLAGS = SOCK_STREAM | platform.open.NONBLOCK | platform.open.CLOEXEC;

/** Adds one to an eventfd, in little-endian order. */
const ONE = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);

/** Makes a non-blocking eventfd(2) readable. Returns a number of at least 0, or `-errno`. */
export function signalEventfd(fd: number): number {
  let written = raw.write(fd, ONE);
  while (written === EINTR) written = raw.write(fd, ONE);
  // Its number is at the maximum, so it is readable.
  return written === EAGAIN ? 0 : written;
}

/** Events of a {@linkcode WakeSocket}. */
export interface WakeEvents {
  /** Called for each record. */
  completed(id: number, result: number): void;
  /** Called once when the runtime has closed its end; no records follow. */
  closed(error?: Error): void;
}

/**
 * A socket pair. The runtime owns one end.
 *
 * A thread that writes completion records to the other end wakes this thread sooner than a message
 * to its `MessagePort` would. The socket keeps the process alive while it is referenced; initially
 * it is not.
 */
export class WakeSocket {
  /** The end to write to. */
  readonly writeFd: number;
  readonly #socket: AdoptedSocket;
  readonly #closeWriter: () => number;

  /** Creates the pair. */
  constructor({ completed, closed }: WakeEvents) {
    const fds = new Int32Array(2);
    check(
      raw.socketpair(platform.socket.AF_UNIX, FLAGS, 0, fds),
      "socketpair",
      () => "create a wake-up socket",
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

  /** Closes both ends; no thread may still write. Call once. */
  close(): void {
    this.#socket.close();
    this.#closeWriter();
  }
}
