/** Guests behind a `net.Socket` of Node.js, of Bun or of Deno. @module */

import type { Socket } from "node:net";
import { builtin } from "../builtins.ts";
import * as raw from "../sys/raw/mod.ts";
import { isDescriptorOf, isVerified, type Ports } from "./internals.ts";
import type { RuntimeConnection } from "./types.ts";

/** The undocumented part of a socket that is used here. */
interface Handle {
  /** Node.js and Bun: the descriptor; -1 when there is none. */
  readonly fd?: number;
  /** Node.js: bytes that libuv holds back. */
  readonly writeQueueSize?: number;
  /** Deno: a duplicate of the descriptor, a new one with each call. */
  fdForIpc?(): number;
}

const BUN = "Bun" in globalThis;

/** Returns the runtime's handle, which is gone once the socket is destroyed. */
function handleOf(socket: Socket): Handle | null | undefined {
  return (socket as unknown as { _handle?: Handle | null })._handle;
}

/** Whether this socket shows its own descriptor and does not encrypt what is written to it. */
export function isPlain(socket: Socket): boolean {
  if ((socket as { encrypted?: boolean }).encrypted) return false;
  const handle = handleOf(socket);
  if (handle === null || handle === undefined) return false;
  if (typeof handle.fdForIpc === "function") return isOwnDuplicate(socket, handle);
  const { fd = -1, writeQueueSize } = handle;
  if (fd < 0 || !BUN && typeof writeQueueSize !== "number") return false;
  return socket.connecting || isDescriptorOf("_handle.fd", fd, () => portsOf(socket));
}

function isOwnDuplicate(socket: Socket, handle: Handle): boolean {
  if (socket.connecting || isVerified("fdForIpc()")) return true;
  const fd = handle.fdForIpc!();
  // Deno has no descriptor left: whoever makes the connection finds out, too.
  if (fd < 0) return true;
  const own = isDescriptorOf("fdForIpc()", fd, () => portsOf(socket));
  raw.close(fd);
  return own;
}

/** The ports of a connection, whatever a program has put over `remotePort` (PROXY protocol). */
function portsOf(socket: Socket): Ports {
  const { port: local } = socket.address() as { port?: number };
  const remote = Reflect.get(builtin("net").Socket.prototype, "remotePort", socket);
  return { local, remote };
}

/** Makes a connection of a connected socket for which {@linkcode isPlain} holds. */
export function socketConnection(socket: Socket): RuntimeConnection {
  const handle = handleOf(socket)!;
  return typeof handle.fdForIpc === "function"
    ? new DuplicateConnection(socket, handle.fdForIpc())
    : new NodeConnection(socket);
}

/** Node.js and Bun: the handle tells its descriptor for as long as it is open. */
class NodeConnection implements RuntimeConnection {
  protected readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  fd(): number {
    const { socket } = this;
    return socket.destroyed || socket.writableEnded ? -1 : handleOf(socket)?.fd ?? -1;
  }

  queued(): boolean {
    return this.socket.writableLength > 0 || (handleOf(this.socket)?.writeQueueSize ?? 0) > 0;
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.socket.write(bytes, done);
  }

  timed(): boolean {
    return (this.socket.timeout ?? 0) > 0;
  }

  touch(): void {
    if (this.timed()) this.socket.setTimeout(this.socket.timeout!);
  }

  destroy(): void {
    this.socket.destroy();
  }

  release(): void {}
}

/**
 * Deno: the handle only gives duplicates. One is taken per transfer, and closed with the socket:
 * an open duplicate would keep the connection alive, and the peer would never see its end.
 */
class DuplicateConnection extends NodeConnection {
  #fd: number;
  readonly #closed = () => this.release();

  constructor(socket: Socket, fd: number) {
    super(socket);
    this.#fd = fd;
    socket.once("close", this.#closed);
  }

  override fd(): number {
    return this.socket.destroyed || this.socket.writableEnded ? -1 : this.#fd;
  }

  override destroy(): void {
    this.release();
    super.destroy();
  }

  override release(): void {
    if (this.#fd < 0) return;
    raw.close(this.#fd);
    this.#fd = -1;
    this.socket.off("close", this.#closed);
  }
}
