/** Ends a socket whose counterpart could not connect. @module */

import type { Socket } from "node:net";
import type { DenoConn } from "../../../runtime/deno.ts";
import { findConnection } from "../../../runtime/find.ts";

/** Milliseconds for the peer to read the end and close. */
const LINGER_MS = 2000;

/** Size of the buffer for discarded bytes. */
const BUFFER_BYTES = 64 * 1024;

/**
 * Ends a socket in the next turn of the event loop, unless the caller has answered on it by then.
 *
 * Ends the output and discards the peer's bytes: closing a socket with unread bytes resets the
 * connection, and the peer loses what it has not read yet. Descriptors are left as they are.
 */
export function endUnreached(target: unknown): void {
  if (typeof target === "number") return;
  const connection = findConnection(target, "relay");
  switch (connection.kind) {
    case "socket":
      return endSocket(connection.socket);
    case "deno":
      return void endConn(connection.conn);
    case "bun": {
      const { socket } = connection;
      setTimeout(() => socket.end === undefined ? socket.terminate() : socket.end());
    }
  }
}

function endSocket(socket: Socket): void {
  const { bytesWritten } = socket;
  setTimeout(() => {
    const answered = socket.bytesWritten !== bytesWritten || socket.writableLength > 0;
    if (socket.destroyed || socket.writableEnded || answered) return;
    socket.on("error", () => socket.destroy());
    socket.end();
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    const close = () => socket.destroy();
    socket.once("end", close);
    socket.once("close", () => clearTimeout(timer));
  });
}

async function endConn(conn: DenoConn): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  const timer = setTimeout(() => close(conn), LINGER_MS);
  try {
    await conn.closeWrite?.();
    const buffer = new Uint8Array(BUFFER_BYTES);
    while (await conn.read?.(buffer) != null);
  } catch {
    // The peer has disconnected, or the caller has closed it.
  }
  clearTimeout(timer);
  close(conn);
}

function close(conn: DenoConn): void {
  try {
    conn.close();
  } catch {
    // Already closed.
  }
}
