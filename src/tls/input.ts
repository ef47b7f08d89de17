/** Passes received bytes of one TLS connection to OpenSSL. @module */

import { recvCell } from "../sys/raw/cells.ts";
import { RECORD_BYTES, type TlsMemory } from "./record_writer.ts";

const BIO_CTRL_PENDING = 10;

/** The memory BIO that a connection reads from. Results are counts, or `-errno`. */
export class Input {
  /**
   * Whether OpenSSL has returned all data that it could decrypt. Another SSL_read() would only
   * allocate 17 KiB, find nothing, and free them.
   */
  drained = false;
  readonly #memory: TlsMemory;
  readonly #fd: number;
  readonly #bio: bigint;

  /** Reads from `fd` into `bio`; borrows both. */
  constructor(memory: TlsMemory, fd: number, bio: bigint) {
    this.#memory = memory;
    this.#fd = fd;
    this.#bio = bio;
  }

  /** Receives available bytes from the socket: a count, 0 at the end, or `-errno`. */
  receive(): number {
    const received = recvCell(this.#fd, this.#memory.buffer, 0, RECORD_BYTES, 0);
    if (received > 0) this.feed(received);
    return received;
  }

  /** Passes the first `count` bytes of the shared buffer to OpenSSL. */
  feed(count: number): void {
    const { buffer, calls } = this.#memory;
    calls.BIO_write(this.#bio, buffer.address, count);
    this.drained = false;
  }

  /** Call this after a whole record: OpenSSL then holds no part of the next one. */
  recordEnded(): void {
    const { calls } = this.#memory;
    this.drained = Number(calls.BIO_ctrl(this.#bio, BIO_CTRL_PENDING, 0n, 0n)) === 0;
  }
}
