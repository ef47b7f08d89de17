/** Passes received bytes of one TLS connection to OpenSSL. @module */

import type { Cell } from "../../../ffi/libc/cell.ts";
import { EAGAIN, ECONNRESET } from "../../errno.ts";
import { addressAt, recvCell } from "../../sys/raw/cells.ts";
import { RECORD_BYTES, type TlsMemory } from "./memory.ts";

const SSL_ERROR_WANT_READ = 2;
const SSL_ERROR_WANT_WRITE = 3;
const SSL_ERROR_ZERO_RETURN = 6;

/**
 * Most bytes that a peer may send in a row without any data: four full records. Key updates, empty
 * records and tickets are short, but a key update takes as long as tens of kilobytes of data.
 */
const MOST_BARE_BYTES = 4 * RECORD_BYTES;

/** The receiving side of a connection. Results are counts, or `-errno`. */
export class Input {
  /** See `TlsSession`. */
  buffered = false;
  /** See `TlsSession`. */
  readWantsWrite = false;
  /** Whether the peer has ended its output (close_notify). */
  ended = false;
  /** Whether a read has failed for good. */
  failed = false;
  readonly #memory: TlsMemory;
  readonly #fd: number;
  readonly #ssl: bigint;
  /**
   * Whether OpenSSL has returned all data that it could decrypt. Another SSL_read() would only
   * allocate 17 KiB, find nothing, and free them.
   */
  #drained = false;
  /** Bytes received since the last data. */
  #bare = 0;
  /** Bytes that OpenSSL reads in the next turn. */
  #left: Uint8Array | null = null;

  /** Reads from the connection of `ssl` on `fd`; borrows both. */
  constructor(memory: TlsMemory, fd: number, ssl: bigint) {
    this.#memory = memory;
    this.#fd = fd;
    this.#ssl = ssl;
  }

  /** Call this before OpenSSL reads. */
  resume(): void {
    const left = this.#left;
    if (left === null) return;
    this.#left = null;
    this.#memory.buffer.bytes.set(left);
    this.#memory.input.feed(left.length);
  }

  /** Call this after OpenSSL has read: another connection is next. */
  suspend(): void {
    if (!this.#drained) this.#left = this.#memory.input.takeBack();
  }

  /** Receives available bytes from the socket: a count, 0 at the end, or `-errno`. */
  receive(): number {
    const received = recvCell(this.#fd, this.#memory.buffer, 0, RECORD_BYTES, 0);
    if (received > 0) {
      this.#memory.input.feed(received);
      this.#drained = false;
      this.#bare += received;
    }
    return received;
  }

  /** Call this at the end of the handshake. No event reports data that arrived with it. */
  established(): void {
    this.#bare = 0;
    this.#recordEnded();
    this.suspend();
    this.buffered = !this.#drained;
  }

  /** OpenSSL holds no part of another record. */
  #recordEnded(): void {
    this.#drained = this.#memory.input.pending === 0;
  }

  /** Decrypts into `cell`: see `TlsSession.recv`. */
  recv(cell: Cell, start: number, room: number): number {
    if (this.ended) return 0;
    this.readWantsWrite = this.buffered = false;
    this.resume();
    const count = this.#decrypt(cell, start, room);
    this.suspend();
    if (count > 0) this.#bare = 0;
    else if (this.#bare > MOST_BARE_BYTES) {
      this.failed = true;
      return ECONNRESET;
    }
    return count;
  }

  #decrypt(cell: Cell, start: number, room: number): number {
    let total = 0;
    let taken = false;
    while (total < room) {
      const count = this.#read(addressAt(cell, start + total), room - total);
      if (count > 0) {
        total += count;
        // A count below the room means the end of a record.
        if (total < room) this.#recordEnded();
      } else if (total > 0) {
        // Report an end or a failure after the data before it.
        this.buffered = count !== EAGAIN;
        return total;
      } else {
        if (count !== EAGAIN || taken || this.readWantsWrite) return count;
        const received = this.receive();
        if (received <= 0) return received;
        taken = true;
      }
    }
    this.buffered = true;
    return total;
  }

  #read(address: bigint, room: number): number {
    if (this.#drained) return EAGAIN;
    const { calls } = this.#memory;
    calls.ERR_clear_error();
    const count = calls.SSL_read(this.#ssl, address, room);
    if (count > 0) return count;
    const error = calls.SSL_get_error(this.#ssl, count);
    if (error === SSL_ERROR_WANT_READ) {
      this.#drained = true;
      return EAGAIN;
    }
    if (error === SSL_ERROR_WANT_WRITE) {
      this.readWantsWrite = true;
      return EAGAIN;
    }
    if (error === SSL_ERROR_ZERO_RETURN) {
      this.ended = true;
      return 0;
    }
    this.failed = true;
    calls.ERR_clear_error();
    return ECONNRESET;
  }
}
