/** Connections behind a `net.Socket` of Node.js, Bun or Deno. @module */

import type { Socket } from "node:net";
import { builtin } from "../builtins.ts";
import { available } from "../sys/libc.ts";
import * as raw from "../sys/raw/mod.ts";
import { isDescriptorOf, isVerified, type Ports } from "./internals.ts";
import { kernelTlsSocket } from "./kernel_tls/registry.ts";
import type { RuntimeConnection } from "./types.ts";

/** The undocumented part of a socket that is used here. */
interface Handle {
  /** Node.js and Bun: the descriptor; -1 if there is none. */
  readonly fd?: number;
  /** Node.js: bytes that libuv buffers. */
  readonly writeQueueSize?: number;
  /** Deno: a new duplicate of the descriptor with each call. */
  fdForIpc?(): number;
}

const BUN = "Bun" in globalThis;

/** Returns the runtime's handle, which disappears when the socket is destroyed. */
function handleOf(socket: Socket): Handle | null | undefined {
  return (socket as unknown as { _handle?: Handle | null })._handle;
}

/** Whether this socket exposes its own descriptor and does not encrypt. */
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
  // Without foreign calls nothing can close a duplicate.
  if (!available()) return false;
  if (socket.connecting || isVerified("fdForIpc()")) return true;
  const fd = handle.fdForIpc!();
  // Deno has no descriptor left; the code that creates the connection will find out too.
  if (fd < 0) return true;
  const own = isDescriptorOf("fdForIpc()", fd, () => portsOf(socket));
  raw.close(fd);
  return own;
}

/** Ports of a connection, even if a program has overridden `remotePort` (PROXY protocol). */
function portsOf(socket: Socket): Ports {
  const { port: local } = socket.address() as { port?: number };
  const remote = Reflect.get(builtin("net").Socket.prototype, "remotePort", socket);
  return { local, remote };
}

/** Whether plaintext may be written to this socket's descriptor: it is plain, or the kernel encrypts. */
export function takesPlaintext(socket: Socket): boolean {
  return kernelTlsSocket(socket) !== undefined || isPlain(socket);
}

/** Returns the connection of a connected socket that passes {@linkcode takesPlaintext}. */
export function socketConnection(socket: Socket): RuntimeConnection {
  const raw = kernelTlsSocket(socket);
  if (raw !== undefined) return new KernelTlsConnection(socket, raw);
  const handle = handleOf(socket)!;
  return typeof handle.fdForIpc === "function"
    ? new DuplicateConnection(socket, handle.fdForIpc())
    : new NodeConnection(socket);
}

/** Node.js and Bun: the handle shows its descriptor while it is open. */
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

  listener(use: (fd: number) => void): void {
    const { server } = this.socket as unknown as { server?: { _handle?: Handle | null } | null };
    const handle = server?._handle;
    const own = typeof handle?.fdForIpc === "function";
    const fd = own ? handle.fdForIpc!() : handle?.fd ?? -1;
    if (fd < 0) return;
    use(fd);
    if (own) raw.close(fd);
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

/** Node.js: a TLS socket for which the kernel encrypts what the TCP socket below it is given. */
class KernelTlsConnection extends NodeConnection {
  readonly kernelTls = true;
  readonly #raw: NodeConnection;

  constructor(socket: Socket, raw: Socket) {
    super(socket);
    this.#raw = new NodeConnection(raw);
  }

  override fd(): number {
    const { destroyed, writableEnded } = this.socket;
    return destroyed || writableEnded ? -1 : this.#raw.fd();
  }

  override queued(): boolean {
    return this.socket.writableLength > 0 || this.#raw.queued();
  }
}

/**
 * Deno: the handle returns only duplicates. Take one per transfer, and close it with the socket: an
 * open duplicate would keep the connection alive, and the peer would never read its end.
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
