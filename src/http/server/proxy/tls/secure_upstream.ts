/** A connection to a program that speaks TLS, for one request. @module */

import type { Cell } from "../../../../../ffi/libc/cell.ts";
import { EpollEvent } from "../../../../sys/flags/event.ts";
import type { Loop } from "../../../../threads/loop/loop.ts";
import type { Step, TurnShare } from "../../../../threads/loop/turn_share.ts";
import type { TlsDialer } from "../../../../tls/client/dialer.ts";
import { Handshake } from "../../../../tls/hello_reader.ts";
import type { TlsSession } from "../../../../tls/session.ts";
import { type BridgeOwner, TlsBridge } from "./bridge.ts";
import { Watched } from "./watched.ts";

const { ERR, HUP, IN, OUT } = EpollEvent;

/** Most bytes that a request is given at once. */
const ROOM_BYTES = 64 * 1024;

/** Whose connection it is. */
export interface SecureOwner {
  /** Called once, when the server has proved who it is. */
  secured(): void;
  /** Called once, when it has not, or when the connection fails later. */
  failed(reason: string): void;
  /** Called for events of {@linkcode SecureUpstream.end}. */
  onEvents(): void;
}

/** Does the handshake, and then carries bytes between TLS and a descriptor for the request. */
export class SecureUpstream implements Step, BridgeOwner {
  /** The socket. */
  readonly fd: number;
  readonly ofProgram = true;
  /** Whether the socket was closed from the other side, and is watched no more. */
  hungUp = false;
  readonly #loop: Loop;
  readonly #turns: TurnShare;
  readonly #buffer: Cell;
  readonly #dialer: TlsDialer;
  readonly #owner: SecureOwner;
  readonly #session: TlsSession | null;
  readonly #context: bigint;
  readonly #socket: Watched;
  #bridge: TlsBridge | null = null;
  #closed = false;

  /** Owns `fd`, which is in the loop for `OUT`. Call {@linkcode start} next. */
  constructor(
    { buffer, dialer, fd, loop, owner, turns }: {
      readonly loop: Loop;
      /** The part of each turn for handshakes. */
      readonly turns: TurnShare;
      /** Nothing stays in it between two calls. */
      readonly buffer: Cell;
      readonly dialer: TlsDialer;
      readonly owner: SecureOwner;
      readonly fd: number;
    },
  ) {
    this.#loop = loop;
    this.#turns = turns;
    this.#buffer = buffer;
    this.#dialer = dialer;
    this.#owner = owner;
    this.fd = fd;
    this.#context = dialer.context;
    this.#session = dialer.connect(fd);
    this.#socket = new Watched(loop, fd, (events) => this.#onSocket(events), OUT);
  }

  /** The socket that the request reads and writes, once the handshake is done. */
  get end(): number {
    return this.#bridge?.fd ?? -1;
  }

  get transport(): TlsSession {
    return this.#session!;
  }

  /** Begins the handshake. */
  start(): void {
    this.#loop.pass(this.fd, this.#socket);
    this.#turns.run(this);
  }

  #onSocket(events: number): void {
    if (this.#closed) return;
    if (this.#bridge === null) return this.#turns.run(this);
    if ((events & (ERR | HUP)) !== 0) {
      // Bytes that arrived before are read first, and then the error, as the request asks for them.
      this.hungUp = true;
      this.watch(0);
    }
    this.#bridge.onSocket(events);
  }

  /** Continues the handshake. */
  proceed(): void {
    const session = this.#session;
    if (session === null) return this.#owner.failed("there is no memory for TLS");
    const state = session.handshake();
    if (state === Handshake.WANT_READ) this.watch(IN);
    else if (state === Handshake.WANT_WRITE) this.watch(OUT);
    else if (state === Handshake.FAILED) this.#owner.failed(this.#dialer.reasonOf(session));
    else this.#secured();
  }

  #secured(): void {
    this.watch(0);
    this.#bridge = new TlsBridge(this.#loop, this.#buffer, this);
    if (this.#bridge.fd === -1) this.#owner.failed("no descriptor is left");
    else this.#owner.secured();
  }

  /** Sets the events of {@linkcode end} that the request waits for. */
  await(events: number): void {
    this.#bridge?.watch(events);
  }

  watch(events: number): void {
    if (!this.#closed) this.#socket.watch(this.hungUp ? 0 : events);
  }

  room(): number {
    return ROOM_BYTES;
  }

  onExchange(): void {
    this.#owner.onEvents();
  }

  finished(): void {}

  broken(): void {
    this.#owner.failed("it ended the connection before the end of its answer");
  }

  /** Closes everything. A second call does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#turns.forget(this);
    this.#bridge?.close();
    if (this.#session !== null && this.#bridge !== null) {
      this.#dialer.keep(this.#session, this.#context);
    }
    this.#session?.free();
    this.#socket.close();
  }
}
