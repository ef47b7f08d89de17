/** Mailboxes through which threads pass connections to each other. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { pipe2 } from "../sys/pipes.ts";
import * as raw from "../sys/raw/mod.ts";

const { CLOEXEC, NONBLOCK } = platform.open;

/** What each thread gets: plain data, the same for all threads. */
export interface Shares {
  /** Number of connections that each thread has or is about to get; shared. */
  readonly loads: Int32Array<SharedArrayBuffer>;
  /**
   * A pipe for each thread that carries descriptor numbers, 4 bytes each: the threads of a process
   * share one descriptor table.
   */
  readonly mailboxes: readonly { readonly readFd: number; readonly writeFd: number }[];
}

/** Length of a descriptor number in a mailbox, in bytes. */
export const NUMBER_BYTES = 4;

/** The mailboxes of a pool. They must outlive its threads. */
export class FdMailboxes {
  /** The data for the threads. */
  readonly shares: Shares;
  readonly #open: { readonly readFd: number; readonly writeFd: number }[] = [];

  /**
   * Opens one mailbox per thread.
   *
   * @throws {SyscallError} `EMFILE` or `ENFILE`; then closes those already open.
   */
  constructor(threads: number) {
    const loads = new Int32Array(new SharedArrayBuffer(threads * Int32Array.BYTES_PER_ELEMENT));
    this.shares = { loads, mailboxes: this.#open };
    try {
      for (let i = 0; i < threads; i++) {
        const [readFd, writeFd] = pipe2(NONBLOCK | CLOEXEC);
        this.#open.push({ readFd, writeFd });
      }
    } catch (cause) {
      this.close();
      throw cause;
    }
  }

  /**
   * Closes the mailboxes and the connections left in them. Call only when all threads have ended.
   */
  close(): void {
    for (const { readFd, writeFd } of this.#open.splice(0)) {
      for (const fd of takeAll(readFd)) raw.close(fd);
      raw.close(readFd);
      raw.close(writeFd);
    }
  }
}

const letters = new Uint8Array(64 * NUMBER_BYTES);
const numbers = new DataView(letters.buffer);

/** Reads the descriptors in a mailbox. Numbers are written and read whole. */
export function takeAll(readFd: number): number[] {
  const fds: number[] = [];
  for (;;) {
    const read = raw.read(readFd, letters);
    for (let at = 0; at < read; at += NUMBER_BYTES) fds.push(numbers.getInt32(at, true));
    if (read < letters.length) return fds;
  }
}
