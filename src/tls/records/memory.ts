/** What the TLS connections of one thread share. @module */

import type { Cell } from "../../../ffi/libc/cell.ts";
import type { OpenSsl } from "../../../ffi/libssl/mod.ts";

/** Maximum data of one TLS record in bytes: RFC 8446, 5.1. */
export const RECORD_BYTES = 16_384;

const BIO_CTRL_PENDING = 10;

/**
 * The memory BIO that all connections of a thread read from, one after the other. Between two turns
 * it is empty: OpenSSL has read everything, or the connection keeps what is left. So an idle
 * connection needs no BIO of its own, which would take 1 KB.
 */
export class SharedInput {
  /** The BIO; 0 if memory ran out. */
  readonly bio: bigint;
  readonly #calls: OpenSsl;
  readonly #buffer: Cell;

  /** Passes on bytes from `buffer`. */
  constructor(calls: OpenSsl, buffer: Cell) {
    this.#calls = calls;
    this.#buffer = buffer;
    this.bio = BigInt(calls.BIO_new(BigInt(calls.BIO_s_mem())));
  }

  /** Number of bytes that OpenSSL has not read. */
  get pending(): number {
    return Number(this.#calls.BIO_ctrl(this.bio, BIO_CTRL_PENDING, 0n, 0n));
  }

  /** Passes the first `count` bytes of the buffer to OpenSSL. */
  feed(count: number): void {
    this.#calls.BIO_write(this.bio, this.#buffer.address, count);
  }

  /** Takes back what OpenSSL has not read; `null` if that is nothing. */
  takeBack(): Uint8Array | null {
    const { pending } = this;
    if (pending === 0) return null;
    this.#calls.BIO_read(this.bio, this.#buffer.address, pending);
    return this.#buffer.bytes.slice(0, pending);
  }

  /** Drops this reference; connections have their own. */
  close(): void {
    if (this.bio !== 0n) this.#calls.BIO_free(this.bio);
  }
}

/** What the TLS connections of one thread share. */
export interface TlsMemory {
  /** The functions of OpenSSL. */
  readonly calls: OpenSsl;
  /** Memory that connections use between two waits. */
  readonly buffer: Cell;
  /** What OpenSSL reads from. */
  readonly input: SharedInput;
}
