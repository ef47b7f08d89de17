/** Taking a connection over from the runtime, in both directions. @module */

import type { Socket } from "node:net";
import { concat } from "../bytes.ts";
import { dupCloexec } from "../sys/file/open.ts";
import type { BunSocket } from "./bun.ts";
import type { DenoConn } from "./deno.ts";
import { type Connection, connectionOf } from "./find.ts";
import type { RuntimeConnection } from "./types.ts";

const CLOSED = "Cannot take a connection over: it was closed";

/** A connection that the runtime reads no more. */
export interface TakenConnection {
  /** A duplicate of its descriptor, non-blocking like the original; the taker's. */
  readonly fd: number;
  /** What the runtime has received of it, and nobody has read. */
  readonly ahead: Uint8Array | undefined;
  /** Calls `listener` when the program closes the connection meanwhile, where that can be told. */
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

/** A connection that has a descriptor of its own. */
export type Takeable = Exclude<Connection, { kind: "response" }>;

/** Whether a connection can be taken over: it shows its descriptor, and does not encrypt. */
export async function isTakeable(connection: Takeable): Promise<boolean> {
  if (connection.kind === "socket") await connected(connection.socket);
  if (connection.kind === "bun" && connection.socket.pause === undefined) return false;
  if (connection.kind === "socket" && !canStop(connection.socket)) return false;
  const runtimeConnection = connectionOf(connection);
  runtimeConnection?.release();
  return runtimeConnection !== null;
}

/**
 * Stops the runtime's reading and duplicates the descriptor, once all that was written is with the
 * kernel.
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

/** Whether the runtime can be kept from reading: what it read on would be missing. */
function canStop(socket: Socket): boolean {
  const handle = handleOf(socket);
  return typeof handle?.readStop === "function" || typeof handle?.pause === "function";
}

/** Waits until a socket that is being connected is. */
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
      // Its callback comes when the kernel has taken what was written before.
      await new Promise<void>((resolve, reject) =>
        socket.write(new Uint8Array(0), (error) => error ? reject(error) : resolve())
      );
    }
    const fd = duplicate(runtimeConnection.fd());
    return {
      fd,
      ahead: stopReading(socket),
      whenClosed: (listener) => {
        // Bun closes a socket by itself when both directions have ended, though not all is read.
        if (!isBunHandle(handleOf(socket))) socket.once("close", listener);
      },
      destroy: () => void socket.destroy(),
    };
  } finally {
    runtimeConnection.release();
  }
}

/**
 * Keeps the runtime from reading, and takes what it has read.
 *
 * `pause()` alone lets it read on until its buffer is full, and `read()` starts it again: so it is
 * stopped by its handle, before and after, all within one turn of the event loop.
 */
function stopReading(socket: Socket): Uint8Array | undefined {
  const handle = handleOf(socket);
  const stop = () => {
    handle?.readStop?.();
    handle?.pause?.();
  };
  socket.pause();
  // Neither sees bytes any more: their timers would end a connection that is in use.
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
    // It tells its own handlers only, which belong to whoever made it.
    whenClosed: () => {},
    destroy: () => socket.terminate(),
  };
}

/** Deno reads its connections only when it is asked to. */
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
