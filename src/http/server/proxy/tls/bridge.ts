/** Connects a peer that speaks TLS with a proxied request. @module */

import { Cell } from "../../../../../ffi/libc/cell.ts";
import { concat } from "../../../../bytes.ts";
import { EAGAIN, EINTR } from "../../../../errno.ts";
import { EpollEvent } from "../../../../sys/flags/event.ts";
import { recvCell, sendCell } from "../../../../sys/raw/cells.ts";
import * as raw from "../../../../sys/raw/mod.ts";
import {
  AddressFamily,
  MessageFlag,
  ShutdownHow,
  SocketType,
} from "../../../../sys/flags/socket.ts";
import type { Loop } from "../../../../threads/loop/loop.ts";
import type { Transport } from "../../connection/transport.ts";
import { Watched } from "./watched.ts";

const { ERR, HUP, IN, OUT } = EpollEvent;

/** Pieces to move before others have their turn. */
const ROUNDS = 8;

const SEND = MessageFlag.DONTWAIT | MessageFlag.NOSIGNAL;
const STREAM = SocketType.STREAM | SocketType.NONBLOCK | SocketType.CLOEXEC;

/** Owner of a bridge. */
export interface BridgeOwner {
  /** The socket of the peer: of the client, or of the program. */
  readonly fd: number;
  readonly transport: Transport;
  /**
   * Whether the peer is the program. An end without close_notify is then a failure: what has come may be
   * a part only. And a program that takes no more may have answered all the same.
   */
  readonly ofProgram: boolean;
  /** Whether no event will tell of what the socket still has. */
  readonly hungUp: boolean;
  /** Sets the events of the peer's socket to wait for. */
  watch(events: number): void;
  /** Called for events of the request's end. */
  onExchange(events: number): void;
  /**
   * Most bytes that the request can get next. What it leaves belongs to the next request and must
   * fit into the requests' buffer.
   */
  room(): number;
  /** Called once after {@linkcode TlsBridge.finish}; `behind` was received but not used. */
  finished(behind: Uint8Array): void;
  /** Called when the connection to the peer has failed. */
  broken(): void;
}

/**
 * Carries bytes between a TLS session and a pair of Unix sockets. The request gets one end and uses
 * it like the socket of a plain connection: it can splice into it and out of it.
 */
export class TlsBridge {
  /** The request's end; -1 if no descriptor was left. */
  readonly fd: number;
  readonly #own: number;
  readonly #owner: BridgeOwner;
  readonly #buffer: Cell;
  readonly #far: Watched;
  readonly #near: Watched;
  /** Decrypted bytes that did not fit into the pair. */
  #up: Uint8Array | null = null;
  /** Bytes from the pair that did not fit into the peer's socket, and their offset. */
  #down: Cell | null = null;
  #downAt = 0;
  /** Most bytes that the request waits for; 0 while it has unused ones. */
  #room = 0;
  #upEnded = false;
  #downEnded = false;
  #behind: Uint8Array | null = null;
  #closed = false;

  /** `buffer` is empty between two calls. */
  constructor(loop: Loop, buffer: Cell, owner: BridgeOwner) {
    this.#buffer = buffer;
    this.#owner = owner;
    const pair = new Int32Array(2);
    const made = raw.socketpair(AddressFamily.UNIX, STREAM, 0, pair);
    [this.fd, this.#own] = made < 0 ? [-1, -1] : [pair[0]!, pair[1]!];
    this.#far = new Watched(loop, this.fd, (events) => owner.onExchange(events));
    this.#near = new Watched(loop, this.#own, () => this.#pump());
  }

  /** Whether it waits for the peer to read. */
  get waitsForClient(): boolean {
    return this.#down !== null;
  }

  /** Sets the events of its end that the request waits for. */
  watch(events: number): void {
    if (this.#closed) return;
    this.#far.watch(events);
    // It waits because its end is empty.
    this.#room = (events & IN) !== 0 && this.#up === null ? this.#owner.room() : 0;
    const { hungUp, transport } = this.#owner;
    // Bytes that came with the request may have been decrypted already.
    if (this.#room > 0 && (transport.buffered || hungUp)) this.#pump();
    else this.#watch();
  }

  /** Called for events of the peer's socket. */
  onSocket(events: number): void {
    if ((events & (ERR | HUP)) !== 0 && !this.#owner.hungUp) this.#owner.broken();
    else this.#pump();
  }

  /** Called when the request is over: sends the rest, then calls `finished`. */
  finish(behind: Uint8Array): void {
    this.#behind = behind;
    this.#far.watch(0);
    this.#room = 0;
    this.#pump();
  }

  /** Called when the request has failed: sends what there is room for. */
  flush(): void {
    if (!this.#closed) this.#moveDown();
  }

  /** Closes both ends. A second call does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#far.close();
    this.#near.close();
  }

  #pump(): void {
    if (this.#closed) return;
    if (!this.#moveUp() || !this.#moveDown()) return this.#owner.broken();
    const behind = this.#behind;
    if (behind !== null && this.#down === null && this.#downEnded) {
      const rest = this.#unread(behind);
      this.close();
      return this.#owner.finished(rest);
    }
    this.#watch();
  }

  #watch(): void {
    const { transport } = this.#owner;
    const reads = this.#room > 0 && this.#up === null && !this.#upEnded;
    const read = reads ? transport.readWantsWrite ? OUT : IN : 0;
    this.#owner.watch(read | (this.#down === null ? 0 : OUT));
    const taken = this.#down === null && !this.#downEnded ? IN : 0;
    this.#near.watch(taken | (this.#up === null ? 0 : OUT));
  }

  /** Moves bytes from the peer to the request; returns false if the peer has closed. */
  #moveUp(): boolean {
    for (let left = ROUNDS; left > 0; left--) {
      if (this.#up !== null) {
        const sent = raw.send(this.#own, this.#up, SEND);
        if (sent === EAGAIN || sent === EINTR) return true;
        // The request reads no more of it.
        this.#up = sent < 0 || sent === this.#up.length ? null : this.#up.subarray(sent);
        continue;
      }
      if (this.#room === 0 || this.#upEnded) return true;
      const { bytes } = this.#buffer;
      const room = Math.min(this.#room, bytes.length);
      const received = this.#owner.transport.recv(this.#buffer, 0, room);
      if (received === EAGAIN || received === EINTR) return true;
      if (received < 0) return false;
      if (received === 0) {
        if (this.#owner.ofProgram && !this.#owner.transport.complete) return false;
        this.#upEnded = true;
        raw.shutdown(this.#own, ShutdownHow.WR);
        return true;
      }
      this.#room = 0;
      const sent = Math.max(0, sendCell(this.#own, this.#buffer, 0, received, SEND));
      if (sent < received) this.#up = bytes.slice(sent, received);
    }
    return true;
  }

  /** Moves bytes from the request to the peer; returns false if the peer has closed. */
  #moveDown(): boolean {
    if (this.#sendDown()) return true;
    if (!this.#owner.ofProgram) return false;
    // The request then finds that nothing more is taken.
    raw.shutdown(this.#own, ShutdownHow.RD);
    this.#down = null;
    this.#downEnded = true;
    return true;
  }

  #sendDown(): boolean {
    const { transport } = this.#owner;
    for (let left = this.#behind === null ? ROUNDS : Infinity; left > 0; left--) {
      const kept = this.#down;
      if (kept !== null) {
        const sent = transport.send(kept, this.#downAt, kept.bytes.length - this.#downAt, false);
        if (sent === EAGAIN || sent === EINTR) return true;
        if (sent < 0) return false;
        if ((this.#downAt += sent) < kept.bytes.length) continue;
        this.#down = null;
      }
      if (this.#downEnded) return true;
      const buffer = this.#buffer;
      const received = recvCell(this.#own, buffer, 0, buffer.bytes.length, MessageFlag.DONTWAIT);
      if (received === EAGAIN && this.#behind !== null) this.#downEnded = true;
      if (received === EAGAIN || received === EINTR) return true;
      if (received <= 0) {
        this.#downEnded = true;
        this.#endOutput();
        return true;
      }
      const sent = transport.send(buffer, 0, received, false);
      if (sent === received) continue;
      if (sent < 0 && sent !== EAGAIN && sent !== EINTR) return false;
      const at = Math.max(0, sent);
      this.#down = new Cell(received - at);
      this.#down.bytes.set(buffer.bytes.subarray(at, received));
      this.#downAt = 0;
    }
    return true;
  }

  /** Ends one direction of a tunnel. */
  #endOutput(): void {
    if (this.#behind !== null) return;
    this.#owner.transport.shutdown();
    raw.shutdown(this.#owner.fd, ShutdownHow.WR);
  }

  /** Returns the bytes that the request has left. More requests may follow it. */
  #unread(behind: Uint8Array): Uint8Array {
    const pieces = [behind];
    for (;;) {
      const received = recvCell(
        this.fd,
        this.#buffer,
        0,
        this.#buffer.bytes.length,
        MessageFlag.DONTWAIT,
      );
      if (received <= 0) break;
      pieces.push(this.#buffer.bytes.slice(0, received));
    }
    if (this.#up !== null) pieces.push(this.#up);
    return concat(pieces);
  }
}
