/** A connection until the end of its TLS handshake. @module */

import { EpollEvent } from "../../../sys/flags/event.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { MessageFlag, ShutdownHow } from "../../../sys/flags/socket.ts";
import { Failure } from "../../../tls/failure.ts";
import { Handshake } from "../../../tls/hello_reader.ts";
import { TlsSession } from "../../../tls/session.ts";
import type { Handler } from "../../../threads/loop/loop.ts";
import { Timer } from "../../../threads/loop/timers.ts";
import type { Step } from "../../../threads/loop/turn_share.ts";
import { Counter } from "../control/config.ts";
import { PLAIN_HTTP } from "./plain_http.ts";
import type { ConnectionService } from "./contracts.ts";

/** Milliseconds that a client gets after its time if it waits for this thread. */
const GRACE_MS = 1000;

/** Milliseconds for the client to read why it was refused. */
const LINGER_MS = 1000;

/** Performs the handshake of one connection, and passes the socket on. */
export class SecureStart implements Handler, Step {
  /** The socket. */
  readonly fd: number;
  readonly #service: ConnectionService;
  readonly #session: TlsSession;
  readonly #timer: Timer = new Timer(this);
  #interest: number = EpollEvent.IN;
  /** The turn of the last step, by its start time. */
  #stepped = -1;
  #lingering = false;
  #closed = false;

  /** Owns `fd`, which the loop watches, until it is passed on. */
  constructor(service: ConnectionService, fd: number) {
    const { acceptor, handshakeMs } = service.tls!;
    this.fd = fd;
    this.#service = service;
    this.#session = new TlsSession(acceptor, fd);
    this.#limit(handshakeMs);
  }

  #limit(ms: number): void {
    this.#service.loop.timers.start(this.#timer, ms);
  }

  /** Called by the loop. */
  onEvents(): void {
    if (this.#lingering) this.#drain();
    else this.#service.tls!.turns.run(this);
  }

  /** Continues the handshake. */
  proceed(): void {
    this.#stepped = this.#service.loop.now;
    const state = this.#session.handshake();
    if (state === Handshake.WANT_READ) this.watch(EpollEvent.IN);
    else if (state === Handshake.WANT_WRITE) this.watch(EpollEvent.OUT);
    else if (state === Handshake.FAILED) this.#fail(this.#session.failure);
    else this.#done();
  }

  #done(): void {
    const service = this.#service;
    service.count(Counter.TLS_HANDSHAKES);
    if (this.#session.resumed) service.count(Counter.TLS_RESUMED);
    if (this.#session.kernel) service.count(Counter.TLS_KERNEL);
    this.#end();
    service.secured(this, this.#session);
  }

  #fail(failure: number): void {
    this.#service.count(Counter.TLS_FAILURES + failure);
    if (failure !== Failure.PLAIN_HTTP) return this.close();
    raw.send(this.fd, PLAIN_HTTP, MessageFlag.NOSIGNAL);
    raw.shutdown(this.fd, ShutdownHow.WR);
    // Closing with unread bytes would reset the connection and discard the response.
    this.#lingering = true;
    this.watch(EpollEvent.IN);
    this.#limit(LINGER_MS);
  }

  #drain(): void {
    const { bytes } = this.#service.input;
    const received = raw.recv(this.fd, bytes, MessageFlag.DONTWAIT);
    if (received === 0) this.close();
  }

  /** Called when the handshake, or the client's reading, takes too long. */
  onTimeout(): void {
    const { loop, tls } = this.#service;
    // The client has done its part, and long turns of this thread have taken the time.
    const busy = tls!.turns.delays(this) || this.#stepped === loop.now;
    if (busy && !this.#lingering) return this.#limit(GRACE_MS);
    if (!this.#lingering) {
      this.#service.count(Counter.TLS_FAILURES + Failure.TIMEOUT);
      this.#service.count(Counter.TIMEOUTS);
    }
    this.close();
  }

  /** Sets the events that are waited for. */
  watch(events: number): void {
    if (this.#interest === events) return;
    this.#interest = events;
    this.#service.loop.modify(this.fd, events);
  }

  #end(): void {
    this.#closed = true;
    this.#service.loop.timers.stop(this.#timer);
    this.#service.tls!.turns.forget(this);
  }

  /** Closes the connection. A second call does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#end();
    this.#session.free();
    this.#service.startEnded(this);
    this.#service.loop.close(this.fd);
  }
}
