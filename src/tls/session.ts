/** TLS on one connection: the handshake, then reads and writes. @module */

import type { Cell } from "../../ffi/libc/cell.ts";
import { EAGAIN, ECONNRESET, EINTR } from "../errno.ts";
import { sendCopyStep } from "../move/engine/step/memory.ts";
import type { Opened, TlsAcceptor } from "./acceptor.ts";
import { peerHasExpired } from "./certificate/expiry.ts";
import { Failure, failureOf } from "./failure.ts";
import { Handshake, HelloReader } from "./hello_reader.ts";
import { Input } from "./records/input.ts";
import type { TlsMemory } from "./records/memory.ts";
import { takeErrors } from "./openssl_errors.ts";
import { RecordWriter } from "./records/record_writer.ts";

const SSL_ERROR_WANT_READ = 2;
const SSL_ERROR_WANT_WRITE = 3;
/** The socket failed. */
const SSL_ERROR_SYSCALL = 5;
const SSL_KEY_UPDATE_NONE = -1;
const BIO_CTRL_GET_KTLS_SEND = 73;

/**
 * One connection. Received bytes go through a memory BIO, so that the ClientHello can be parsed
 * first. Sent bytes go directly to the socket, because only then can the kernel take over the
 * encryption. Results follow the kernel's convention: a count, or `-errno`.
 */
export class TlsSession {
  /** Reason for a failed handshake: one of {@linkcode Failure}. */
  failure: number = Failure.OTHER;
  /** OpenSSL's text for the reason; empty if there is none. */
  detail = "";
  readonly #memory: TlsMemory;
  readonly #fd: number;
  /** Reads the ClientHello; `null` once it has been read, and for our own clients. */
  #hello: HelloReader | null = null;
  #ssl = 0n;
  #output = 0n;
  #input: Input | null = null;
  #writer: RecordWriter | null = null;
  /** Whether the handshake waits for room in the socket. */
  #blocked = false;
  #failed = false;
  #closing = false;

  /** A `TlsAcceptor` creates the server's side, a `TlsDialer` the client's. `fd` is borrowed. */
  constructor(side: TlsAcceptor | { memory: TlsMemory; opened: Opened }, fd: number) {
    this.#fd = fd;
    if ("opened" in side) {
      this.#memory = side.memory;
      this.#take(side.opened);
      // The client sends the first message.
      this.#blocked = true;
    } else {
      this.#memory = side;
      this.#hello = new HelloReader(side, fd);
    }
  }

  #take({ output, ssl }: Opened): void {
    this.#hello = null;
    this.#ssl = ssl;
    this.#output = output;
    this.#input = new Input(this.#memory, this.#fd, ssl);
  }

  /** Whether the peer has ended its output (close_notify). */
  get complete(): boolean {
    return this.#input?.ended ?? false;
  }

  /** Whether {@linkcode recv} can return more even if nothing further arrives. */
  get buffered(): boolean {
    return this.#input?.buffered ?? false;
  }

  /** Whether a read waits for room in the socket instead of data. */
  get readWantsWrite(): boolean {
    return this.#input?.readWantsWrite ?? false;
  }

  /** OpenSSL's number for the problem with the peer's certificate; 0 for none. */
  get verifyError(): number {
    return Number(this.#memory.calls.SSL_get_verify_result(this.#ssl));
  }

  /** Whether the kernel encrypts. */
  get kernel(): boolean {
    return this.#writer?.kernel ?? false;
  }

  /** Whether files are copied, because the kernel does not encrypt. */
  get copies(): boolean {
    return !this.kernel;
  }

  /** Whether the handshake resumed an earlier session. */
  get resumed(): boolean {
    return this.#memory.calls.SSL_session_reused(this.#ssl) === 1;
  }

  /** Version of TLS, by its number in the protocol. */
  get version(): number {
    return this.#memory.calls.SSL_version(this.#ssl);
  }

  /** Continues the handshake; returns one of {@linkcode Handshake}. Receives at most once. */
  handshake(): number {
    if (this.#failed) return Handshake.FAILED;
    if (this.#hello !== null) {
      const state = this.#hello.read();
      if (state === Handshake.FAILED) return this.#fail(this.#hello.failure);
      if (state !== Handshake.DONE) return state;
      this.#take(this.#hello.opened!);
    } else if (this.#blocked) this.#input!.resume();
    else {
      const received = this.#input!.receive();
      if (received === EAGAIN || received === EINTR) return Handshake.WANT_READ;
      if (received <= 0) return this.#fail(Failure.GONE);
    }
    const ssl = this.#memory.calls;
    ssl.ERR_clear_error();
    const result = ssl.SSL_do_handshake(this.#ssl);
    if (result === 1) return this.#established();
    const error = ssl.SSL_get_error(this.#ssl, result);
    this.#blocked = error === SSL_ERROR_WANT_WRITE;
    // OpenSSL has read everything.
    if (error === SSL_ERROR_WANT_READ) return Handshake.WANT_READ;
    this.#input!.suspend();
    if (this.#blocked) return Handshake.WANT_WRITE;
    return error === SSL_ERROR_SYSCALL ? this.#fail(Failure.GONE) : this.#refused();
  }

  #established(): number {
    const { asksClients, calls } = this.#memory;
    if (asksClients && this.resumed && peerHasExpired(calls, this.#ssl)) {
      this.detail = "certificate has expired";
      // A request may have come with the end of the handshake.
      this.#input!.suspend();
      return this.#fail(Failure.CLIENT_CERTIFICATE);
    }
    this.#writer = new RecordWriter(this.#memory, this.#fd, this.#ssl, this.#output);
    this.#writer.kernel =
      Number(calls.BIO_ctrl(this.#output, BIO_CTRL_GET_KTLS_SEND, 0n, 0n)) === 1;
    this.#input!.established();
    return Handshake.DONE;
  }

  #fail(failure: number): number {
    this.failure = failure;
    this.#failed = true;
    return Handshake.FAILED;
  }

  #refused(): number {
    const errors = takeErrors();
    this.detail = errors[0]?.text ?? "";
    return this.#fail(failureOf(errors));
  }

  /**
   * Decrypts into `cell`: bytes, 0 at the end, or `-errno`. Receives from the socket at most once.
   * If `buffered` is set afterwards, call it again without waiting for the socket.
   *
   * @param room Bytes available from `start` on.
   */
  recv(cell: Cell, start: number, room: number): number {
    if (this.#failed) return ECONNRESET;
    const { batch } = this.#writer!;
    const diverted = batch.divert();
    const count = this.#input!.recv(cell, start, room);
    if (diverted) batch.rejoin();
    this.#failed = this.#input!.failed;
    return count;
  }

  /**
   * Whether the client has asked for a new key (KeyUpdate, RFC 8446, 4.6.3) while the kernel
   * encrypts and cannot replace the key: the connection must end after the response. Without the
   * kernel, OpenSSL replaces the key with the next write.
   */
  get keyUpdateDue(): boolean {
    return this.kernel &&
      this.#memory.calls.SSL_get_key_update_type(this.#ssl) !== SSL_KEY_UPDATE_NONE;
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
    const { calls } = this.#memory;
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
    if (this.#ssl !== 0n) this.#memory.calls.SSL_free(this.#ssl);
    this.#ssl = 0n;
    this.#failed = true;
  }
}
