/** What several threads need to hand connections to each other; made by who starts them. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { pipe2 } from "../sys/pipes.ts";
import * as raw from "../sys/raw/mod.ts";

const { CLOEXEC, NONBLOCK } = platform.open;

/** What each thread is given: plain data, the same for all of them. */
export interface Shares {
  /** Connections that each thread has, or is about to get; shared. */
  readonly loads: Int32Array<SharedArrayBuffer>;
  /**
   * A pipe for each thread, through which numbers of descriptors come, 4 bytes each: threads of one
   * process have one table of descriptors.
   */
  readonly mailboxes: readonly { readonly readFd: number; readonly writeFd: number }[];
}

/** Bytes of a descriptor in a mailbox. */
export const NUMBER_BYTES = 4;

/** The mailboxes of a pool, from before its first thread to after its last. */
export class FdMailboxes {
  /** What the threads are given. */
  readonly shares: Shares;
  readonly #open: { readonly readFd: number; readonly writeFd: number }[] = [];

  /**
   * Opens one for each thread.
   *
   * @throws {SyscallError} `EMFILE` or `ENFILE`; then none stays open.
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

  /** Closes them, and the connections that nobody has taken out. Only when all threads are gone. */
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

/** The descriptors in a mailbox. Numbers are written whole, and so they are read. */
export function takeAll(readFd: number): number[] {
  const fds: number[] = [];
  for (;;) {
    const read = raw.read(readFd, letters);
    for (let at = 0; at < read; at += NUMBER_BYTES) fds.push(numbers.getInt32(at, true));
    if (read < letters.length) return fds;
  }
}
