/** What one TLS connection has received, on its way into OpenSSL. @module */

import { recvCell } from "../sys/raw/cells.ts";
import type { TlsAcceptor } from "./acceptor.ts";
import { RECORD_BYTES } from "./record_writer.ts";

const BIO_CTRL_PENDING = 10;

/** The memory BIO that a connection reads from. Counts and `-errno`, as elsewhere. */
export class Input {
  /**
   * Whether OpenSSL has given out all that it can make of what has been received: another SSL_read()
   * would find nothing, and take and give back 17 KiB of memory to find out.
   */
  drained = false;
  readonly #acceptor: TlsAcceptor;
  readonly #fd: number;
  readonly #bio: bigint;

  /** Reads from `fd` into `bio`; both stay the caller's. */
  constructor(acceptor: TlsAcceptor, fd: number, bio: bigint) {
    this.#acceptor = acceptor;
    this.#fd = fd;
    this.#bio = bio;
  }

  /** Takes what has arrived from the socket: bytes, 0 at the end, or `-errno`. */
  receive(): number {
    const received = recvCell(this.#fd, this.#acceptor.buffer, 0, RECORD_BYTES, 0);
    if (received > 0) this.feed(received);
    return received;
  }

  /** Gives the first `count` bytes of the acceptor's buffer to OpenSSL. */
  feed(count: number): void {
    const { buffer, calls } = this.#acceptor;
    calls.BIO_write(this.#bio, buffer.address, count);
    this.drained = false;
  }

  /** To be called behind a whole record: OpenSSL keeps no part of the next one then. */
  recordEnded(): void {
    const { calls } = this.#acceptor;
    this.drained = Number(calls.BIO_ctrl(this.#bio, BIO_CTRL_PENDING, 0n, 0n)) === 0;
  }
}
