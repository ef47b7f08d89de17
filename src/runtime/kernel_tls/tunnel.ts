/** Carries the TLS records of one connection between Node.js and the network. @module */

import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { builtin } from "../../builtins.ts";
import { debug } from "../../debug.ts";
import { errnoName } from "../../errors.ts";
import { EAGAIN } from "../../errno.ts";
import { cryptoInfo, isKernelSuite } from "./keys.ts";
import { RecordReader } from "./records.ts";
import { encryptedByKernel } from "./registry.ts";
import { lendIdentity, writeTo } from "./socket_patch.ts";

/** The calls of kernel TLS: see `kernel.ts`. */
export interface KernelCalls {
  encrypt(fd: number, cryptoInfo: Uint8Array): number;
  sendCloseNotify(fd: number): number;
}

/** Type of encrypted records on the wire. */
const APPLICATION_DATA = 23;
/** Lengths of two encrypted messages: content, its type, and 16 bytes of authentication. */
const ALERT_BYTES = 2 + 1 + 16;
const KEY_UPDATE_BYTES = 5 + 1 + 16;

/** Session tickets that Node.js sends after a full handshake; none after a resumed one. */
const TICKETS = 2;
/** Turns of the event loop in which a ticket, or the end of a write, can still arrive. */
const TURNS = 4;
/** Pause before another attempt to send an alert to a full socket, in milliseconds. */
const RETRY_MS = 20;

/** The undocumented part of a `TLSSocket` on a stream. */
interface WrappedSocket extends Socket {
  readonly _handle?: { readonly _parentWrap?: { readonly stream?: Duplex } | null } | null;
}

const tunnels = new WeakMap<Duplex, Tunnel>();

/** Returns the tunnel of a TLS socket, or `undefined` if sluice did not make its stream. */
export function tunnelOf(socket: Socket): Tunnel | undefined {
  const stream = (socket as WrappedSocket)._handle?._parentWrap?.stream;
  return stream === undefined ? undefined : tunnels.get(stream);
}

/**
 * A stream in place of the TCP socket, below a `TLSSocket`.
 *
 * All records that Node.js encrypts pass through it. So it knows the number of the next record, and
 * once the kernel encrypts, no record of Node.js can reach the peer.
 */
export class Tunnel {
  /** What the `TLSSocket` uses as its connection. */
  readonly stream: Duplex;
  /** Settles when a request need no longer wait: the kernel encrypts, or does not yet, or never. */
  readonly settled: Promise<void>;
  readonly #settle: () => void;
  readonly #raw: Socket;
  readonly #kernel: KernelCalls;
  readonly #sent = new RecordReader((type, length) => this.#sends(type, length));
  readonly #received = new RecordReader((type, length) => this.#receives(type, length));
  #socket: TLSSocket | undefined;
  #secret: Uint8Array | undefined;
  #state: "handshake" | "waiting" | "kernel" | "unchanged" = "handshake";
  /** Records under the key that `#secret` gives. */
  #count = 0;
  /** Whether Node.js has sent something that may have changed the key. */
  #unknown = false;
  /** Whether the peer may have asked for another key, which the kernel cannot take. */
  #outdated = false;

  constructor(raw: Socket, kernel: KernelCalls) {
    this.#raw = raw;
    this.#kernel = kernel;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.settled = promise;
    this.#settle = resolve;
    const stream = this.stream = new (builtin("stream").Duplex)({
      allowHalfOpen: true,
      read: () => void raw.resume(),
      write: (bytes: Uint8Array, _, done) => this.#write(bytes, done),
      final: (done) => this.#end(done),
      destroy: (error, done) => {
        this.#leave("the connection has closed");
        raw.destroy();
        done(error);
      },
    });
    tunnels.set(stream, this);
    raw.on("data", (bytes: Uint8Array) => {
      this.#received.push(bytes);
      if (!stream.push(bytes)) raw.pause();
    });
    raw.on("end", () => stream.push(null));
    raw.on("error", (error) => stream.destroy(error));
    raw.on("close", () => stream.destroy());
  }

  /** Whether the connection should close after the next response. */
  get outdated(): boolean {
    return this.#outdated;
  }

  /** Gives this socket the addresses of the connection. */
  lendIdentity(socket: TLSSocket): void {
    lendIdentity(socket, this.#raw);
  }

  /** Takes the server's traffic secret during the handshake, and erases it later. */
  keep(secret: Uint8Array): void {
    if (this.#state !== "handshake") this.#unknown = true;
    this.#secret?.fill(0);
    this.#secret = secret;
  }

  /**
   * Starts to count records: the handshake is complete.
   *
   * Node.js emits `secureConnection` while it reads the last message of the client, and sends the
   * session tickets after that, in the same turn of the event loop.
   */
  secured(socket: TLSSocket): void {
    this.#socket = socket;
    this.#state = "waiting";
    lendIdentity(socket, this.#raw);
    setImmediate(() => this.#attempt(TURNS));
  }

  /**
   * Looks for a KeyUpdate. OpenSSL would answer it with the next record, but encrypts no more. Only
   * the length shows it, so the last chunk of an upload ("0", two line breaks) looks the same.
   */
  #receives(type: number, length: number): void {
    if (type === APPLICATION_DATA && length === KEY_UPDATE_BYTES) this.#outdated = true;
  }

  #sends(type: number, length: number): void {
    if (this.#state === "kernel") this.#stray(length);
    if (this.#state !== "waiting") return;
    this.#count++;
    if (type !== APPLICATION_DATA || length === ALERT_BYTES || length === KEY_UPDATE_BYTES) {
      this.#unknown = true;
    }
  }

  /** Handles a record of Node.js that comes too late: the kernel has the key. */
  #stray(length: number): void {
    if (length === ALERT_BYTES) return;
    if (length === KEY_UPDATE_BYTES) this.#outdated = true;
    else this.#socket?.destroy(new Error("The runtime wrote to a connection of kernel TLS"));
  }

  #write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.#sent.push(bytes);
    if (this.#state === "kernel") return done();
    this.#raw.write(bytes, (error) => {
      done(error);
      if (this.#state === "waiting") setImmediate(() => this.#attempt(TURNS));
    });
  }

  /** Hands the sending side to the kernel, as soon as nothing is on its way from Node.js. */
  #attempt(turns: number): void {
    if (this.#state !== "waiting") return;
    const socket = this.#socket!;
    const reason = this.#refusal(socket);
    if (reason !== undefined) return this.#leave(reason);
    if (this.#isQuiet(socket)) return this.#switch(socket);
    if (turns > 0) return void setImmediate(() => this.#attempt(turns - 1));
    if (socket.bytesWritten === 0) {
      return this.#leave(`${this.#count} records before the first byte`);
    }
    // The end of a write brings the next attempt.
    this.#settle();
  }

  /** Why the kernel can never take this connection, or `undefined`. */
  #refusal(socket: TLSSocket): string | undefined {
    if (socket.destroyed || socket.writableEnded) return "the connection is closing";
    const protocol = socket.getProtocol();
    if (protocol !== "TLSv1.3") return `the protocol is ${protocol}`;
    const { name } = socket.getCipher();
    if (!isKernelSuite(name)) return `the cipher is ${name}`;
    if (this.#secret === undefined) return "the runtime showed no secret";
    return this.#unknown ? "the key may have changed" : undefined;
  }

  /** Whether Node.js has passed on every record that it has encrypted. */
  #isQuiet(socket: TLSSocket): boolean {
    const { writableLength, _handle: handle } = this.#raw as Socket & {
      _handle?: { writeQueueSize?: number } | null;
    };
    const queued = socket.writableLength + writableLength + (handle?.writeQueueSize ?? 1);
    if (queued > 0 || !this.#sent.whole) return false;
    const tickets = socket.isSessionReused() ? 0 : TICKETS;
    return socket.bytesWritten === 0 ? this.#count === tickets : this.#count > tickets;
  }

  #switch(socket: TLSSocket): void {
    const raw = this.#raw;
    const info = cryptoInfo(socket.getCipher().name, this.#secret!, this.#count);
    const result = this.#kernel.encrypt(fdOf(raw), info);
    info.fill(0);
    if (result < 0) return this.#leave(errnoName(-result));
    this.#forget();
    this.#state = "kernel";
    writeTo(socket, raw);
    encryptedByKernel(socket, raw);
    debug(() => `kernel TLS from record ${this.#count} on`);
    this.#settle();
  }

  /** Leaves the connection as it is, for good. */
  #leave(reason: string): void {
    this.#forget();
    this.#settle();
    if (this.#state === "kernel" || this.#state === "unchanged") return;
    this.#state = "unchanged";
    debug(() => `no kernel TLS: ${reason}`);
  }

  #forget(): void {
    this.#secret?.fill(0);
    this.#secret = undefined;
  }

  #end(done: (error?: Error | null) => void): void {
    const raw = this.#raw;
    if (raw.destroyed) return done();
    // The socket is full: the alert has to wait for room.
    if (this.#state === "kernel" && this.#kernel.sendCloseNotify(fdOf(raw)) === EAGAIN) {
      setTimeout(() => this.#end(done), RETRY_MS);
      return;
    }
    raw.end(() => done());
  }
}

function fdOf(raw: Socket): number {
  return (raw as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}
