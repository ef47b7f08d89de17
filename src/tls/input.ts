/** What one TLS connection has received, on its way into OpenSSL. @module */

import { recvCell } from "../sys/raw/cells.ts";
import { RECORD_BYTES, type TlsMemory } from "./record_writer.ts";

const BIO_CTRL_PENDING = 10;

/** The memory BIO that a connection reads from. Counts and `-errno`, as elsewhere. */
export class Input {
  /**
   * Whether OpenSSL has given out all that it can make of what has been received: another SSL_read()
   * would find nothing, and take and give back 17 KiB of memory to find out.
   */
  drained = false;
  readonly #memory: TlsMemory;
  readonly #fd: number;
  readonly #bio: bigint;

  /** Reads from `fd` into `bio`; both stay the caller's. */
  constructor(memory: TlsMemory, fd: number, bio: bigint) {
    this.#memory = memory;
    this.#fd = fd;
    this.#bio = bio;
  }

  /** Takes what has arrived from the socket: bytes, 0 at the end, or `-errno`. */
  receive(): number {
    const received = recvCell(this.#fd, this.#memory.buffer, 0, RECORD_BYTES, 0);
    if (received > 0) this.feed(received);
    return received;
  }

  /** Gives the first `count` bytes of the shared buffer to OpenSSL. */
  feed(count: number): void {
    const { buffer, calls } = this.#memory;
    calls.BIO_write(this.#bio, buffer.address, count);
    this.drained = false;
  }

  /** To be called behind a whole record: OpenSSL keeps no part of the next one then. */
  recordEnded(): void {
    const { calls } = this.#memory;
    this.drained = Number(calls.BIO_ctrl(this.#bio, BIO_CTRL_PENDING, 0n, 0n)) === 0;
  }
}
