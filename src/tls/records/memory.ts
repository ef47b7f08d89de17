/** What the TLS connections of one thread share. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
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

/** Room for four records' data in records of 512 bytes, the shortest that a client can ask for. */
const OUTPUT_BYTES = 4 * RECORD_BYTES + 32_768;

const SSL_CTRL_MODE = 33;
const SSL_CTRL_CLEAR_MODE = 78;
const SSL_MODE_ENABLE_PARTIAL_WRITE = 1n;
const SSL_MODE_RELEASE_BUFFERS = 0x10n;
/** Off for a batch: SSL_write() then makes all records, and allocates memory for them once. */
const MODES = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS;

/**
 * The BIO pair that takes the records of batches, for one connection after the other. Between two
 * batches it is empty.
 */
export class SharedOutput {
  readonly #calls: OpenSsl;
  /** Where OpenSSL stores addresses. */
  readonly #found: Cell = new Cell(16);
  /** The end that OpenSSL writes to, and the end to read from; 0 before the first batch. */
  #inner = 0n;
  #outer = 0n;

  /** Allocates its memory with the first batch. */
  constructor(calls: OpenSsl) {
    this.#calls = calls;
  }

  /** Has `ssl` write here instead of to `socket`; false if memory runs out. */
  begin(ssl: bigint, socket: bigint): boolean {
    if (this.#inner === 0n && !this.#create()) return false;
    const calls = this.#calls;
    // SSL_set0_wbio() drops a reference to the old BIO, and takes over one to the new BIO.
    calls.BIO_up_ref(socket);
    calls.BIO_up_ref(this.#inner);
    calls.SSL_set0_wbio(ssl, this.#inner);
    calls.SSL_ctrl(ssl, SSL_CTRL_CLEAR_MODE, MODES, 0n);
    return true;
  }

  /** Has `ssl` write to `socket` again. */
  end(ssl: bigint, socket: bigint): void {
    const calls = this.#calls;
    calls.SSL_set0_wbio(ssl, socket);
    calls.SSL_ctrl(ssl, SSL_CTRL_MODE, MODES, 0n);
    calls.SSL_free_buffers(ssl);
  }

  /** Number of bytes that OpenSSL has written; they start at {@linkcode SharedOutput.address}. */
  get length(): number {
    return Math.max(0, this.#calls.BIO_nread0(this.#outer, this.#found.address));
  }

  /** Where the bytes are that `length` has counted. */
  get address(): bigint {
    return this.#found.view.getBigUint64(0, true);
  }

  /** Drops the first `count` bytes. */
  drop(count: number): void {
    if (count > 0) this.#calls.BIO_nread(this.#outer, this.#found.address, count);
  }

  /** Copies the `count` bytes that are left, and drops them. */
  takeRest(count: number): Cell {
    const rest = new Cell(count);
    this.#calls.BIO_read(this.#outer, rest.address, count);
    return rest;
  }

  #create(): boolean {
    const { address, view } = this.#found;
    const room = BigInt(OUTPUT_BYTES);
    // Nothing goes the other way.
    if (this.#calls.BIO_new_bio_pair(address, room, address + 8n, 1n) !== 1) return false;
    this.#inner = view.getBigUint64(0, true);
    this.#outer = view.getBigUint64(8, true);
    return true;
  }

  /** Frees the memory. Call it after the last batch. */
  close(): void {
    if (this.#inner === 0n) return;
    this.#calls.BIO_free(this.#inner);
    this.#calls.BIO_free(this.#outer);
    this.#inner = 0n;
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
  /** What OpenSSL writes batches to. */
  readonly output: SharedOutput;
  /** Whether clients are asked for certificates. */
  readonly asksClients: boolean;
}
