/** Writes memory and files to one TLS connection, as records or through the kernel. @module */

import type { Cell } from "../../../ffi/libc/cell.ts";
import { EAGAIN, ECONNRESET } from "../../errno.ts";
import { sendfileStep } from "../../move/engine/step/sendfile.ts";
import { addressAt, preadCell, sendCell } from "../../sys/raw/cells.ts";
import * as raw from "../../sys/raw/mod.ts";
import { RECORD_BYTES, type TlsMemory } from "./memory.ts";
import { MessageFlag, SocketLevel, TcpOption } from "../../sys/flags/socket.ts";

/** Bytes of a file that are read at once. */
const READ_BYTES = 4 * RECORD_BYTES;

/** Longest data that waits for the file behind it, so that both leave in one record. */
const MOST_STAGED = 4096;

const SSL_ERROR_WANT_WRITE = 3;

/**
 * The sending side of a connection. If the kernel encrypts, all data leaves as on a plain socket.
 * Otherwise each SSL_write() creates one record and makes one write(2). Results are counts, or
 * `-errno`.
 */
export class RecordWriter {
  /** Whether the kernel encrypts. */
  kernel = false;
  /** Whether a write has failed for good. */
  failed = false;
  readonly #memory: TlsMemory;
  readonly #fd: number;
  readonly #ssl: bigint;
  /** Length of an encrypted record that has not been sent. */
  #pending = 0;
  /** Data that waits for the file behind it. */
  #staged: Uint8Array | null = null;

  /** Writes to the connection of `ssl` on `fd`; borrows both. */
  constructor(memory: TlsMemory, fd: number, ssl: bigint) {
    this.#memory = memory;
    this.#fd = fd;
    this.#ssl = ssl;
  }

  /** Whether a record was sent in part. */
  get blocked(): boolean {
    return this.#pending > 0;
  }

  /** Sends from `cell`: see `TlsSession.send`. */
  send(cell: Cell, start: number, count: number, more: boolean): number {
    if (this.kernel) {
      const flags = more ? MessageFlag.NOSIGNAL | MessageFlag.MORE : MessageFlag.NOSIGNAL;
      return sendCell(this.#fd, cell, start, count, flags);
    }
    if (more && count <= MOST_STAGED && this.#pending === 0 && this.#staged === null) {
      this.#staged = cell.bytes.slice(start, start + count);
      return count;
    }
    const flushed = this.#flush();
    if (flushed < 0) return flushed;
    if (count <= RECORD_BYTES) return this.#sendMemory(cell, start, count);
    this.#cork(1);
    const sent = this.#sendMemory(cell, start, count);
    this.#cork(0);
    return sent;
  }

  #sendMemory(cell: Cell, start: number, count: number): number {
    let sent = 0;
    while (sent < count) {
      const wanted = this.#pending || Math.min(RECORD_BYTES, count - sent);
      const written = this.#write(addressAt(cell, start + sent), wanted);
      if (written <= 0) return sent > 0 ? sent : written;
      sent += written;
    }
    return sent;
  }

  /** Sends a part of a file: see `TlsSession.sendFile`. */
  sendFile(file: number, position: number, count: number): number {
    if (this.kernel) return sendfileStep(this.#fd, file, position, count);
    if (count <= RECORD_BYTES) return this.#sendRecords(file, position, count);
    this.#cork(1);
    const sent = this.#sendRecords(file, position, count);
    this.#cork(0);
    return sent;
  }

  #sendRecords(file: number, position: number, count: number): number {
    const { buffer } = this.#memory;
    let sent = 0;
    for (let at = 0, filled = 0; sent < count;) {
      const staged = this.#staged?.length ?? 0;
      let length = this.#pending;
      if (length === 0) {
        if (at === filled) {
          filled = this.#fill(file, position + sent, count - sent, staged);
          at = 0;
          if (filled <= staged) return sent > 0 ? sent : filled === staged ? 0 : filled;
        }
        length = Math.min(RECORD_BYTES, filled - at);
      }
      const written = this.#write(addressAt(buffer, at), length);
      if (written <= 0) return sent > 0 ? sent : written;
      // The pending record is not in the buffer, which is empty now.
      if (filled > 0) at += written;
      this.#staged = null;
      sent += written - staged;
    }
    return sent;
  }

  /**
   * Fills the buffer with the staged data and a part of the file behind it: bytes of both, or
   * `-errno`. Reads four records at a time, because they stay in the processor's cache until they are
   * encrypted; 256 KiB would not. Does not map the file, because a truncated one would yield zeros.
   */
  #fill(file: number, position: number, count: number, staged: number): number {
    const { buffer } = this.#memory;
    if (staged > 0) buffer.bytes.set(this.#staged!);
    const room = Math.min(READ_BYTES, staged + count) - staged;
    const read = preadCell(file, buffer, staged, room, position);
    return read < 0 ? read : staged + read;
  }

  /**
   * Holds back partial segments, or sends them. Each record is one write: without the cork, and with
   * TCP_NODELAY, each would also end with a partial segment.
   */
  #cork(value: number): void {
    raw.setsockopt(this.#fd, SocketLevel.TCP, TcpOption.CORK, value);
  }

  /** Sends the staged data: 0, or `-errno`. */
  #flush(): number {
    const staged = this.#staged;
    if (staged === null) return 0;
    const { buffer } = this.#memory;
    buffer.bytes.set(staged);
    const written = this.#write(buffer.address, this.#pending || staged.length);
    if (written <= 0) return written;
    this.#staged = null;
    return 0;
  }

  /**
   * Encrypts and sends one record: bytes of data, or `-errno`. A pending record is already
   * encrypted: OpenSSL then ignores `address` and checks only the length.
   */
  #write(address: bigint, count: number): number {
    const { calls } = this.#memory;
    calls.ERR_clear_error();
    const written = calls.SSL_write(this.#ssl, address, count);
    if (written > 0) {
      this.#pending = 0;
      return written;
    }
    const error = calls.SSL_get_error(this.#ssl, written);
    if (error === SSL_ERROR_WANT_WRITE) {
      this.#pending = count;
      return EAGAIN;
    }
    this.failed = true;
    calls.ERR_clear_error();
    return ECONNRESET;
  }
}
