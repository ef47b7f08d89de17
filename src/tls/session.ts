/** TLS on one connection: the handshake, then reads and writes. @module */

import type { Cell } from "../../ffi/libc/cell.ts";
import { concat } from "../bytes.ts";
import { EAGAIN, ECONNRESET, EINTR } from "../errno.ts";
import { sendCopyStep } from "../move/engine/step/memory.ts";
import { addressAt, recvCell } from "../sys/raw/cells.ts";
import * as raw from "../sys/raw/mod.ts";
import { MessageFlag } from "../sys/flags/socket.ts";
import type { TlsAcceptor } from "./acceptor.ts";
import { Hello, MOST_HELLO_BYTES, readClientHello } from "./client_hello.ts";
import { Failure, failureOf } from "./failure.ts";
import { Input } from "./input.ts";
import { takeErrors } from "./openssl_errors.ts";
import { RecordWriter } from "./record_writer.ts";

/** How the handshake stands. */
export const Handshake = { DONE: 0, WANT_READ: 1, WANT_WRITE: 2, FAILED: 3 } as const;

const SSL_ERROR_WANT_READ = 2;
const SSL_ERROR_WANT_WRITE = 3;
const SSL_ERROR_ZERO_RETURN = 6;
const SSL_KEY_UPDATE_NONE = -1;
const BIO_CTRL_GET_KTLS_SEND = 73;

/** Alert "no_application_protocol", fatal, in a record of its own: RFC 7301, 3.2. */
const NO_PROTOCOL = Uint8Array.of(21, 3, 3, 0, 2, 2, 120);

/**
 * One connection. Received bytes go through a memory BIO, so that the ClientHello can be parsed
 * first. Sent bytes go directly to the socket, because only then can the kernel take over the
 * encryption. Results follow the kernel's convention: a count, or `-errno`.
 */
export class TlsSession {
  /** Reason for a failed handshake: one of {@linkcode Failure}. */
  failure: number = Failure.OTHER;
  /** Whether a read waits for room in the socket instead of data. */
  readWantsWrite = false;
  /** Whether {@linkcode recv} has more to tell although nothing further may arrive. */
  buffered = false;
  readonly #acceptor: TlsAcceptor;
  readonly #fd: number;
  /** What has arrived of the ClientHello; `null` once it has been read. */
  #hello: Uint8Array | null = new Uint8Array();
  #ssl = 0n;
  #input: Input | null = null;
  #writer: RecordWriter | null = null;
  /** Whether the handshake waits for room in the socket. */
  #blocked = false;
  #failed = false;
  #ended = false;
  #closing = false;

  /** `fd` stays the caller's. */
  constructor(acceptor: TlsAcceptor, fd: number) {
    this.#acceptor = acceptor;
    this.#fd = fd;
  }

  /** Whether the kernel encrypts. */
  get kernel(): boolean {
    return this.#writer?.kernel ?? false;
  }

  /** Whether the handshake resumed an earlier session. */
  get resumed(): boolean {
    return this.#acceptor.calls.SSL_session_reused(this.#ssl) === 1;
  }

  /** Version of TLS, by its number in the protocol. */
  get version(): number {
    return this.#acceptor.calls.SSL_version(this.#ssl);
  }

  /** Continues the handshake; returns one of {@linkcode Handshake}. Receives at most once. */
  handshake(): number {
    if (this.#failed) return Handshake.FAILED;
    if (this.#hello !== null) {
      const state = this.#listen(this.#hello);
      if (state !== Handshake.DONE) return state;
    } else if (!this.#blocked) {
      const received = this.#input!.receive();
      if (received === EAGAIN || received === EINTR) return Handshake.WANT_READ;
      if (received <= 0) return this.#fail(Failure.GONE);
    }
    const ssl = this.#acceptor.calls;
    ssl.ERR_clear_error();
    const result = ssl.SSL_do_handshake(this.#ssl);
    if (result === 1) return this.#established();
    const error = ssl.SSL_get_error(this.#ssl, result);
    this.#blocked = error === SSL_ERROR_WANT_WRITE;
    if (this.#blocked) return Handshake.WANT_WRITE;
    if (error === SSL_ERROR_WANT_READ) return Handshake.WANT_READ;
    return this.#fail(failureOf(takeErrors()));
  }

  /** Collects the ClientHello, and makes the `SSL` for it. */
  #listen(before: Uint8Array): number {
    const { buffer } = this.#acceptor;
    const received = recvCell(this.#fd, buffer, 0, MOST_HELLO_BYTES, 0);
    if (received === EAGAIN || received === EINTR) return Handshake.WANT_READ;
    if (received <= 0) return this.#fail(Failure.GONE);
    const bytes = concat([before, buffer.bytes.slice(0, received)]);
    const hello = readClientHello(bytes);
    const { protocols, state } = hello;
    if (state === Hello.NOT_TLS) return this.#fail(Failure.PLAIN_HTTP);
    if (state === Hello.INCOMPLETE && bytes.length < 2 * MOST_HELLO_BYTES) {
      this.#hello = bytes;
      return Handshake.WANT_READ;
    }
    if (protocols !== null && !protocols.some((name) => name.startsWith("http/1."))) {
      raw.send(this.#fd, NO_PROTOCOL, MessageFlag.NOSIGNAL);
      return this.#fail(Failure.PROTOCOL);
    }
    this.#hello = null;
    const opened = this.#acceptor.open(this.#fd, hello);
    if (opened === null) return this.#fail(Failure.OTHER);
    this.#ssl = opened.ssl;
    this.#input = new Input(this.#acceptor, this.#fd, opened.input);
    buffer.bytes.set(bytes);
    this.#input.feed(bytes.length);
    return Handshake.DONE;
  }

  #established(): number {
    const { calls } = this.#acceptor;
    this.#writer = new RecordWriter(this.#acceptor, this.#fd, this.#ssl);
    const output = BigInt(calls.SSL_get_wbio(this.#ssl));
    this.#writer.kernel = Number(calls.BIO_ctrl(output, BIO_CTRL_GET_KTLS_SEND, 0n, 0n)) === 1;
    // What arrived with the end of the handshake waits in the BIO, and no event will tell of it.
    this.#input!.recordEnded();
    this.buffered = !this.#input!.drained;
    return Handshake.DONE;
  }

  #fail(failure: number): number {
    this.failure = failure;
    this.#failed = true;
    return Handshake.FAILED;
  }

  /**
   * Decrypts into `cell`: bytes, 0 at the end, or `-errno`. Receives from the socket at most once.
   * If `buffered` is set afterwards, call it again without waiting for the socket.
   *
   * @param room Bytes available from `start` on.
   */
  recv(cell: Cell, start: number, room: number): number {
    if (this.#failed) return ECONNRESET;
    if (this.#ended) return 0;
    this.readWantsWrite = this.buffered = false;
    let total = 0;
    let taken = false;
    while (total < room) {
      const count = this.#read(addressAt(cell, start + total), room - total);
      if (count > 0) {
        total += count;
        // Less than there is room for is the end of a record.
        if (total < room) this.#input!.recordEnded();
      } else if (total > 0) {
        // Report an end or a failure after the data before it.
        this.buffered = count !== EAGAIN;
        return total;
      } else {
        if (count !== EAGAIN || taken || this.readWantsWrite) return count;
        const received = this.#input!.receive();
        if (received <= 0) return received;
        taken = true;
      }
    }
    this.buffered = true;
    return total;
  }

  #read(address: bigint, room: number): number {
    if (this.#input!.drained) return EAGAIN;
    const { calls } = this.#acceptor;
    calls.ERR_clear_error();
    const count = calls.SSL_read(this.#ssl, address, room);
    if (count > 0) return count;
    const error = calls.SSL_get_error(this.#ssl, count);
    if (error === SSL_ERROR_WANT_READ) {
      this.#input!.drained = true;
      return EAGAIN;
    }
    if (error === SSL_ERROR_WANT_WRITE) {
      this.readWantsWrite = true;
      return EAGAIN;
    }
    if (error === SSL_ERROR_ZERO_RETURN) {
      this.#ended = true;
      return 0;
    }
    this.#fail(failureOf(takeErrors()));
    return ECONNRESET;
  }

  /**
   * Whether the client has asked for a new key (KeyUpdate, RFC 8446, 4.6.3) while the kernel
   * encrypts and cannot replace the key: the connection must end after the response. Without the
   * kernel, OpenSSL replaces the key with the next write.
   */
  get keyUpdateDue(): boolean {
    return this.kernel &&
      this.#acceptor.calls.SSL_get_key_update_type(this.#ssl) !== SSL_KEY_UPDATE_NONE;
  }

  /**
   * Sends from `cell`: bytes taken, or `-errno`. After `EAGAIN`, pass the same data again.
   *
   * @param more Whether a file, or more data, follows at once.
   */
  send(cell: Cell, start: number, count: number, more: boolean): number {
    return this.#failed ? ECONNRESET : this.#writer!.send(cell, start, count, more);
  }

  /**
   * Sends `count` bytes of a file from `position` on: bytes taken, 0 if the file ends before, or
   * `-errno`. After `EAGAIN`, pass the same position again.
   */
  sendFile(file: number, position: number, count: number): number {
    return this.#failed ? ECONNRESET : this.#writer!.sendFile(file, position, count);
  }

  /** Like {@linkcode sendFile}, if the kernel encrypts but cannot take the pages of the file. */
  sendCopy(file: number, position: number, count: number): number {
    return this.#failed ? ECONNRESET : sendCopyStep(this.#fd, file, position, count);
  }

  /**
   * Ends the output (close_notify): 0, or `EAGAIN` without room. Don't call it after a truncated
   * response: the client would take that as complete.
   */
  shutdown(): number {
    const writer = this.#writer;
    if (this.#closing || this.#failed || writer === null || writer.failed || writer.blocked) {
      return 0;
    }
    const { calls } = this.#acceptor;
    calls.ERR_clear_error();
    const result = calls.SSL_shutdown(this.#ssl);
    if (result < 0 && calls.SSL_get_error(this.#ssl, result) === SSL_ERROR_WANT_WRITE) {
      return EAGAIN;
    }
    calls.ERR_clear_error();
    this.#closing = true;
    return 0;
  }

  /** Frees the memory. A second call does nothing. */
  free(): void {
    if (this.#ssl !== 0n) this.#acceptor.calls.SSL_free(this.#ssl);
    this.#ssl = 0n;
    this.#failed = true;
  }
}
