/** Reads and writes any connection through its runtime's own streams. @module */

import type { Socket } from "node:net";
import { type DenoConn, writeAll } from "../deno.ts";

/** A connection as two byte streams. Make one call of each kind at a time. */
export interface ByteStream {
  /** Returns the next bytes, valid until the next call; `null` at the end. */
  read(): Promise<Uint8Array | null>;
  /** Resolves once there is room for more. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the sending side; the peer may still send. */
  end(): Promise<void>;
  /** Closes the connection and rejects pending calls. A second call does nothing. */
  destroy(): void;
}

const BUFFER_BYTES = 64 * 1024;

/** The streams of a connected `net.Socket`, encrypted or not. */
export function socketStream(socket: Socket): ByteStream {
  // The peer's end must not end our sending side.
  socket.allowHalfOpen = true;
  socket.pause();
  let failure: Error | undefined;
  let wake = () => {};
  const pieces: Uint8Array[] = [];
  // Uses flowing mode: in paused mode, TLS sockets on Deno stop reporting data (2.9).
  socket.on("data", (piece: Uint8Array | string) => {
    pieces.push(typeof piece === "string" ? encode(piece) : piece);
    socket.pause();
    wake();
  });
  for (const event of ["end", "close"]) socket.on(event, () => wake());
  socket.on("error", (error) => failure ??= error);
  return {
    async read() {
      for (;;) {
        const piece = pieces.shift();
        if (piece !== undefined) return piece;
        if (socket.readableEnded) return null;
        if (socket.destroyed) throw failure ?? new Error("The socket was closed");
        const woken = new Promise<void>((resolve) => wake = resolve);
        socket.resume();
        await woken;
      }
    },
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => error ? reject(failure ?? error) : resolve());
      }),
    end: () =>
      new Promise((resolve, reject) => {
        const closed = () => reject(failure ?? new Error("The socket was closed"));
        if (socket.destroyed) return closed();
        socket.once("close", closed);
        socket.end(() => {
          socket.off("close", closed);
          resolve();
        });
      }),
    destroy: () => void socket.destroy(),
  };
}

/** The streams of a `Deno.Conn`. */
export function denoStream(conn: DenoConn): ByteStream {
  const buffer = new Uint8Array(BUFFER_BYTES);
  return {
    async read() {
      const count = await conn.read!(buffer);
      return count === null ? null : buffer.subarray(0, count);
    },
    write: (bytes) => writeAll(conn, bytes),
    end: () => conn.closeWrite!(),
    destroy() {
      try {
        conn.close();
      } catch {
        // Already closed.
      }
    },
  };
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
