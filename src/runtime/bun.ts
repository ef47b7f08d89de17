/** Guests behind a socket of `Bun.listen` or `Bun.connect`. @module */

import { isDescriptorOf } from "./internals.ts";
import type { RuntimeConnection } from "./types.ts";

/** The part of Bun's own sockets that is used here. */
export interface BunSocket {
  /** The descriptor; -1 once closed. Bun's own declarations (1.4) lack it. */
  readonly fd?: number;
  /** 1 while open, -1 or 0 once closed. */
  readonly readyState: number;
  /** Its port, unless it is a Unix socket. */
  readonly localPort?: number;
  /** The port of the peer. */
  readonly remotePort?: number;
  /** Returns how many bytes the kernel took, and keeps none of the others. */
  write(bytes: Uint8Array): number;
  /** Reads no more. */
  pause?(): void;
  /** Reads on. */
  resume?(): void;
  /** Closes the socket when what was written has left. */
  end?(): void;
  /** Closes the socket at once. */
  terminate(): void;
}

/** Whether `target` is a socket of Bun's own API, encrypted or not. */
export function isBunSocket(target: object): target is BunSocket {
  const tag = tagOf(target);
  return (tag === "TCPSocket" || tag === "TLSSocket") && "terminate" in target;
}

/** Makes a connection of an unencrypted socket; `null` for one with TLS, and where Bun hides which it is. */
export function bunConnection(socket: BunSocket): RuntimeConnection | null {
  if (tagOf(socket) !== "TCPSocket") return null;
  const ports = () => ({ local: socket.localPort, remote: socket.remotePort });
  const own = socket.readyState <= 0 || isDescriptorOf("Bun.Socket", socket.fd ?? -1, ports);
  return own ? new BunConnection(socket) : null;
}

class BunConnection implements RuntimeConnection {
  readonly #socket: BunSocket;
  // The `drain` handler belongs to whoever made the socket: it is waited for by its descriptor.
  readonly write = null;

  constructor(socket: BunSocket) {
    this.#socket = socket;
  }

  fd(): number {
    return this.#socket.readyState > 0 ? this.#socket.fd ?? -1 : -1;
  }

  // Bun keeps no bytes of these sockets back.
  queued(): boolean {
    return false;
  }

  // It may be, but Bun does not tell, so the timer cannot be set to what it was either.
  timed(): boolean {
    return false;
  }

  touch(): void {}

  destroy(): void {
    this.#socket.terminate();
  }

  release(): void {}
}

function tagOf(target: object): string {
  return Object.prototype.toString.call(target).slice(8, -1);
}
