/** The end of a connection: ends the output and reads on for a while. @module */

import { EAGAIN, EINTR } from "../../../errno.ts";
import { EpollEvent } from "../../../sys/flags/event.ts";
import { recvCell } from "../../../sys/raw/cells.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { ShutdownHow } from "../../../sys/flags/socket.ts";
import type { Transport } from "./transport.ts";
import type { ConnectionService } from "./contracts.ts";

/** Maximum bytes read after the last response: see RFC 9112, 9.6. */
const MOST_LINGERED = 1024 * 1024;

/**
 * Ends the output, then reads. Closing with unread bytes would reset the connection, and the client
 * would lose bytes that it has not read yet.
 */
export class Lingering {
  readonly #service: ConnectionService;
  readonly #fd: number;
  readonly #transport: Transport;
  #said = false;
  #received = 0;

  constructor(service: ConnectionService, fd: number, transport: Transport) {
    this.#service = service;
    this.#fd = fd;
    this.#transport = transport;
  }

  /** Continues; returns the events to wait for, or 0 once the connection can be closed. */
  step(): number {
    if (!this.#said) {
      if (this.#transport.shutdown() === EAGAIN) return EpollEvent.OUT;
      this.#said = true;
      raw.shutdown(this.#fd, ShutdownHow.WR);
      return EpollEvent.IN;
    }
    const { input } = this.#service;
    const received = recvCell(this.#fd, input, 0, input.bytes.length, 0);
    if (received === EAGAIN || received === EINTR) return EpollEvent.IN;
    return received > 0 && (this.#received += received) < MOST_LINGERED ? EpollEvent.IN : 0;
  }
}
