/** Collects the ClientHello of one connection, which decides the context for OpenSSL. @module */

import { concat } from "../bytes.ts";
import { EAGAIN, EINTR } from "../errno.ts";
import { recvCell } from "../sys/raw/cells.ts";
import * as raw from "../sys/raw/mod.ts";
import { MessageFlag } from "../sys/flags/socket.ts";
import type { Opened, TlsAcceptor } from "./acceptor.ts";
import { Hello, MOST_HELLO_BYTES, readClientHello } from "./client_hello.ts";
import { Failure } from "./failure.ts";

/** State of the handshake. */
export const Handshake = { DONE: 0, WANT_READ: 1, WANT_WRITE: 2, FAILED: 3 } as const;

/** Alert "no_application_protocol", fatal, in a record of its own: RFC 7301, 3.2. */
const NO_PROTOCOL = Uint8Array.of(21, 3, 3, 0, 2, 2, 120);

/** Reads the ClientHello, and creates the `SSL` for it. */
export class HelloReader {
  /** Reason for the failure: one of {@linkcode Failure}. */
  failure: number = Failure.OTHER;
  /** The objects of the connection, once the ClientHello has been read and passed to OpenSSL. */
  opened: Opened | null = null;
  readonly #acceptor: TlsAcceptor;
  readonly #fd: number;
  /** The first part, if the ClientHello arrives in several. */
  #before: Uint8Array | null = null;

  /** Borrows `fd`. */
  constructor(acceptor: TlsAcceptor, fd: number) {
    this.#acceptor = acceptor;
    this.#fd = fd;
  }

  /** Continues; returns one of {@linkcode Handshake}: `DONE` once `opened` is set. */
  read(): number {
    const { buffer, input } = this.#acceptor;
    const received = recvCell(this.#fd, buffer, 0, MOST_HELLO_BYTES, 0);
    if (received === EAGAIN || received === EINTR) return Handshake.WANT_READ;
    if (received <= 0) return this.#fail(Failure.GONE);
    const arrived = buffer.bytes.subarray(0, received);
    const bytes = this.#before === null ? arrived : concat([this.#before, arrived]);
    const hello = readClientHello(bytes);
    const { protocols, state } = hello;
    if (state === Hello.NOT_TLS) return this.#fail(Failure.PLAIN_HTTP);
    if (state === Hello.INCOMPLETE && bytes.length < 2 * MOST_HELLO_BYTES) {
      this.#before = bytes.slice();
      return Handshake.WANT_READ;
    }
    if (protocols !== null && !protocols.some((name) => name.startsWith("http/1."))) {
      raw.send(this.#fd, NO_PROTOCOL, MessageFlag.NOSIGNAL);
      return this.#fail(Failure.PROTOCOL);
    }
    this.opened = this.#acceptor.open(this.#fd, hello);
    if (this.opened === null) return this.#fail(Failure.OTHER);
    if (bytes !== arrived) buffer.bytes.set(bytes);
    input.feed(bytes.length);
    return Handshake.DONE;
  }

  #fail(failure: number): number {
    this.failure = failure;
    return Handshake.FAILED;
  }
}
