/** Takes a connection over from the runtime, in both directions. @module */

import type { Socket } from "node:net";
import { concat } from "../bytes.ts";
import { dupCloexec } from "../sys/fd.ts";
import type { BunSocket } from "./bun.ts";
import type { DenoConn } from "./deno.ts";
import { type Connection, connectionOf } from "./find.ts";
import type { RuntimeConnection } from "./types.ts";

const CLOSED = "Cannot take a connection over: it was closed";

/** A connection that the runtime no longer reads. */
export interface TakenConnection {
  /** A duplicate of its descriptor, non-blocking like the original; the caller owns it. */
  readonly fd: number;
  /** Bytes that the runtime has received and the program has not read. */
  readonly ahead: Uint8Array | undefined;
  /**
   * Calls `listener` when the program closes the connection meanwhile, if the runtime reports that.
   */
  whenClosed(listener: () => void): void;
  /** Closes the runtime's own descriptor. Call once. */
  destroy(): void;
}

/** The undocumented part of a handle that is used here. */
interface Handle {
  /** Node.js and Deno. */
  readStop?(): void;
  /** Bun. */
  pause?(): void;
}

/** A connection with its own descriptor. */
export type Takeable = Exclude<Connection, { kind: "response" }>;

/** Whether a connection can be taken over: it exposes its descriptor and does not encrypt. */
export async function isTakeable(connection: Takeable): Promise<boolean> {
  if (connection.kind === "socket") await connected(connection.socket);
  if (connection.kind === "bun" && connection.socket.pause === undefined) return false;
  if (connection.kind === "socket" && !canStop(connection.socket)) return false;
  const runtimeConnection = connectionOf(connection);
  runtimeConnection?.release();
  return runtimeConnection !== null;
}

/**
 * Stops the runtime from reading, and duplicates the descriptor once the kernel has all written
 * bytes.
 *
 * @throws {Error} When the connection is closed.
 */
export async function takeOver(connection: Takeable): Promise<TakenConnection> {
  switch (connection.kind) {
    case "socket":
      return await takeSocket(connection.socket);
    case "bun":
      return takeBun(connection.socket);
    case "deno":
      return takeDeno(connection.conn);
  }
}

/** Whether the runtime can be stopped from reading: bytes that it kept reading would be lost. */
function canStop(socket: Socket): boolean {
  const handle = handleOf(socket);
  return typeof handle?.readStop === "function" || typeof handle?.pause === "function";
}

/** Waits until a connecting socket is connected. */
async function connected(socket: Socket): Promise<void> {
  if (!socket.connecting) return;
  await new Promise<void>((resolve, reject) => {
    let failure: Error | undefined;
    const settle = () => {
      socket.off("connect", settle);
      socket.off("error", fail);
      socket.off("close", settle);
      if (!socket.connecting && !socket.destroyed) resolve();
      else reject(failure ?? new Error(CLOSED));
    };
    const fail = (error: Error) => failure = error;
    socket.on("connect", settle);
    socket.on("error", fail);
    socket.on("close", settle);
  });
}

async function takeSocket(socket: Socket): Promise<TakenConnection> {
  const runtimeConnection = guestFor({ kind: "socket", socket });
  try {
    while (runtimeConnection.queued()) {
      // The callback runs once the kernel has taken all earlier writes.
      await new Promise<void>((resolve, reject) =>
        socket.write(new Uint8Array(0), (error) => error ? reject(error) : resolve())
      );
    }
    const fd = duplicate(runtimeConnection.fd());
    return {
      fd,
      ahead: stopReading(socket),
      whenClosed: (listener) => {
        // Bun closes a socket itself when both directions have ended, even with unread bytes.
        if (!isBunHandle(handleOf(socket))) socket.once("close", listener);
      },
      destroy: () => void socket.destroy(),
    };
  } finally {
    runtimeConnection.release();
  }
}

/**
 * Stops the runtime from reading, and returns the bytes that it has read.
 *
 * `pause()` alone lets it read until its buffer is full, and `read()` restarts it. So stop it
 * through its handle, before and after, all within one turn of the event loop.
 */
function stopReading(socket: Socket): Uint8Array | undefined {
  const handle = handleOf(socket);
  const stop = () => {
    handle?.readStop?.();
    handle?.pause?.();
  };
  socket.pause();
  // The runtime no longer sees bytes: its idle timer would end an active connection.
  socket.setTimeout(0);
  stop();
  const pieces: Uint8Array[] = [];
  for (let piece; (piece = socket.read() as Uint8Array | string | null) !== null;) {
    pieces.push(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
  }
  stop();
  return pieces.length === 0 ? undefined : concat(pieces);
}

function takeBun(socket: BunSocket): TakenConnection {
  const fd = duplicate(guestFor({ kind: "bun", socket }).fd());
  socket.pause!();
  return {
    fd,
    ahead: undefined,
    // Bun reports it only to handlers that belong to the socket's creator.
    whenClosed: () => {},
    destroy: () => socket.terminate(),
  };
}

/** Deno reads its connections only on demand. */
function takeDeno(conn: DenoConn): TakenConnection {
  const runtimeConnection = guestFor({ kind: "deno", conn });
  return {
    fd: duplicate(runtimeConnection.fd()),
    ahead: undefined,
    whenClosed: () => {},
    destroy: () => runtimeConnection.destroy(),
  };
}

function guestFor(connection: Takeable): RuntimeConnection {
  const runtimeConnection = connectionOf(connection);
  if (runtimeConnection === null) throw new Error(CLOSED);
  return runtimeConnection;
}

function duplicate(fd: number): number {
  if (fd < 0) throw new Error(CLOSED);
  return dupCloexec(fd);
}

function handleOf(socket: Socket): Handle | null | undefined {
  return (socket as unknown as { _handle?: Handle | null })._handle;
}

function isBunHandle(handle: Handle | null | undefined): boolean {
  return typeof handle?.pause === "function";
}
