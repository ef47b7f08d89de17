/** Writes memory and files to one TLS connection, as records or through the kernel. @module */

import type { Cell } from "../../../ffi/libc/cell.ts";
import { EAGAIN, ECONNRESET } from "../../errno.ts";
import { sendfileStep } from "../../move/engine/step/sendfile.ts";
import { addressAt, preadCell, sendCell } from "../../sys/raw/cells.ts";
import { MessageFlag } from "../../sys/flags/socket.ts";
import { Batch, BATCH_BYTES } from "./batch.ts";
import { RECORD_BYTES, type TlsMemory } from "./memory.ts";

/** Longest data that waits for the file behind it, so that both leave together. */
const MOST_STAGED = 4096;

const SSL_ERROR_WANT_WRITE = 3;

/**
 * The sending side of a connection. If the kernel encrypts, all data leaves as on a plain socket.
 * Otherwise OpenSSL sends a single record itself, and more data leaves in batches. Results are
 * counts, or `-errno`.
 */
export class RecordWriter {
  /** Whether the kernel encrypts. */
  kernel = false;
  /** Whether a write has failed for good. */
  failed = false;
  readonly #memory: TlsMemory;
  readonly #fd: number;
  readonly #ssl: bigint;
  /** Length of the data of an encrypted record that OpenSSL has not sent. */
  #pending = 0;
  /** Data beyond one record. */
  readonly batch: Batch;
  /** Data that waits for the file behind it. */
  #staged: Uint8Array | null = null;

  /** Writes to the connection of `ssl` on `fd` by the BIO `output`; borrows all three. */
  constructor(memory: TlsMemory, fd: number, ssl: bigint, output: bigint) {
    this.#memory = memory;
    this.#fd = fd;
    this.#ssl = ssl;
    this.batch = new Batch(memory, fd, ssl, output);
  }

  /** Whether a record was sent in part. */
  get blocked(): boolean {
    return this.#pending > 0 || this.batch.pending > 0;
  }

  /** Sends from `cell`: see `TlsSession.send`. */
  send(cell: Cell, start: number, count: number, more: boolean): number {
    if (this.kernel) {
      const flags = more ? MessageFlag.NOSIGNAL | MessageFlag.MORE : MessageFlag.NOSIGNAL;
      return sendCell(this.#fd, cell, start, count, flags);
    }
    if (more && count <= MOST_STAGED && !this.blocked && this.#staged === null) {
      this.#staged = cell.bytes.slice(start, start + count);
      return count;
    }
    const flushed = this.#flush();
    if (flushed < 0) return flushed;
    let sent = this.blocked ? this.#finish() : 0;
    if (sent < 0 || sent >= count) return sent;
    const batches = count - sent > RECORD_BYTES;
    if (batches && !this.batch.begin()) return this.#fail();
    let result = 0;
    while (sent < count) {
      const length = Math.min(BATCH_BYTES, count - sent);
      const address = addressAt(cell, start + sent);
      result = batches
        ? this.#sendBatch(address, length, more || sent + length < count)
        : this.#write(address, length);
      if (result <= 0) break;
      sent += result;
      if (this.blocked) break;
    }
    if (batches) this.batch.end();
    return sent > 0 ? sent : result;
  }

  /** Sends a part of a file: see `TlsSession.sendFile`. */
  sendFile(file: number, position: number, count: number): number {
    if (this.kernel) return sendfileStep(this.#fd, file, position, count);
    let sent = 0;
    if (this.blocked) {
      const finished = this.#finish();
      if (finished < 0) return finished;
      sent = this.#unstage(finished);
      if (sent >= count) return sent;
    }
    const { buffer } = this.#memory;
    const batches = (this.#staged?.length ?? 0) + count - sent > RECORD_BYTES;
    if (batches && !this.batch.begin()) return this.#fail();
    let result = 0;
    while (sent < count) {
      const staged = this.#staged?.length ?? 0;
      const filled = this.#fill(file, position + sent, count - sent, staged);
      result = filled === staged ? 0 : filled;
      if (filled <= staged) break;
      const more = filled - staged < count - sent;
      result = batches
        ? this.#sendBatch(buffer.address, filled, more)
        : this.#write(buffer.address, filled);
      if (result <= 0) break;
      sent += this.#unstage(result);
      if (this.blocked) break;
    }
    if (batches) this.batch.end();
    return sent > 0 ? sent : result;
  }

  /**
   * Fills the buffer with the staged data and a part of the file behind it: bytes of both, or
   * `-errno`. Does not map the file, because a truncated one would yield zeros.
   */
  #fill(file: number, position: number, count: number, staged: number): number {
    const { buffer } = this.#memory;
    if (staged > 0) buffer.bytes.set(this.#staged!);
    const room = Math.min(BATCH_BYTES, staged + count) - staged;
    const read = preadCell(file, buffer, staged, room, position);
    return read < 0 ? read : staged + read;
  }

  /** Drops staged data that was sent: how many of `count` bytes came after it. */
  #unstage(count: number): number {
    const staged = this.#staged;
    if (staged === null) return count;
    const head = Math.min(count, staged.length);
    this.#staged = head < staged.length ? staged.subarray(head) : null;
    return count - head;
  }

  /** Sends the staged data: 0, or `-errno`. */
  #flush(): number {
    const { buffer } = this.#memory;
    while (this.#staged !== null) {
      buffer.bytes.set(this.#staged);
      const sent = this.blocked ? this.#finish() : this.#write(buffer.address, this.#staged.length);
      if (sent < 0) return sent;
      this.#unstage(sent);
    }
    return 0;
  }

  /** Sends what is encrypted already: bytes of its data, or `-errno`. */
  #finish(): number {
    if (this.#pending > 0) return this.#write(this.#memory.buffer.address, this.#pending);
    return this.#checked(this.batch.finish());
  }

  #sendBatch(address: bigint, count: number, more: boolean): number {
    return this.#checked(this.batch.send(address, count, more));
  }

  #checked(sent: number): number {
    return sent === ECONNRESET ? this.#fail() : sent;
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
    return this.#fail();
  }

  #fail(): number {
    this.failed = true;
    this.#memory.calls.ERR_clear_error();
    return ECONNRESET;
  }
}
