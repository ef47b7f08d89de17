/** Connections behind a socket of `Bun.listen` or `Bun.connect`. @module */

import { isDescriptorOf } from "./internals.ts";
import type { RuntimeConnection } from "./types.ts";

/** The part of Bun's own sockets that is used here. */
export interface BunSocket {
  /** The descriptor; -1 once closed. Missing in Bun's own type declarations (1.4). */
  readonly fd?: number;
  /** 1 while open, -1 or 0 once closed. */
  readonly readyState: number;
  /** Local port, unless it is a Unix socket. */
  readonly localPort?: number;
  /** Port of the peer. */
  readonly remotePort?: number;
  /** The listener that accepted it. */
  readonly listener?: unknown;
  /** Writes as many bytes as the kernel takes, buffers none, and returns the count. */
  write(bytes: Uint8Array): number;
  /** Stops reading. */
  pause?(): void;
  /** Resumes reading. */
  resume?(): void;
  /** Closes the socket after all written bytes were sent. */
  end?(): void;
  /** Closes the socket at once. */
  terminate(): void;
}

/** Whether `target` is a socket of Bun's own API, encrypted or not. */
export function isBunSocket(target: object): target is BunSocket {
  const tag = tagOf(target);
  return (tag === "TCPSocket" || tag === "TLSSocket") && "terminate" in target;
}

/** Returns the connection of an unencrypted socket; `null` with TLS, and if Bun does not say. */
export function bunConnection(socket: BunSocket): RuntimeConnection | null {
  if (tagOf(socket) !== "TCPSocket") return null;
  const ports = () => ({ local: socket.localPort, remote: socket.remotePort });
  const own = socket.readyState <= 0 || isDescriptorOf("Bun.Socket", socket.fd ?? -1, ports);
  return own ? new BunConnection(socket) : null;
}

class BunConnection implements RuntimeConnection {
  readonly #socket: BunSocket;
  // The `drain` handler belongs to the socket's creator, so wait on the descriptor instead.
  readonly write = null;

  constructor(socket: BunSocket) {
    this.#socket = socket;
  }

  fd(): number {
    return this.#socket.readyState > 0 ? this.#socket.fd ?? -1 : -1;
  }

  // Bun buffers no bytes of these sockets.
  queued(): boolean {
    return false;
  }

  listener(use: (fd: number) => void): void {
    // Missing in Bun's own type declarations, too.
    const { fd = -1 } = (this.#socket.listener ?? {}) as { readonly fd?: number };
    if (fd >= 0) use(fd);
  }

  // A timer may be set, but Bun does not expose it, so it could not be restored.
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
