/** Sending to a socket of the runtime. @module */

import { writeAll } from "../guest/deno.ts";
import { type Connection, guestOf } from "../guest/find.ts";
import type { Guest } from "../guest/types.ts";
import { available } from "../sys/libc.ts";
import { connectionClosed } from "./closed.ts";
import { copyRange, type Sink, streamSink, taken } from "./copy.ts";
import { sendToGuest } from "./run_pump.ts";
import type { Sender } from "./send_file.ts";

/** A connection that is a socket. */
export type SocketConnection = Exclude<Connection, { kind: "response" }>;

/** Pause between tries where nothing tells when a socket of Bun takes bytes again, in milliseconds. */
const RETRY_MS = 5;

/** Sends to a socket, by its descriptor where there is one that may be written to. */
export const sendToSocket: Sender<SocketConnection> = async (connection, file, options, flow) => {
  await connected(connection);
  const guest = available() ? guestOf(connection) : null;
  const sink = sinkOf(connection, guest);
  if (guest !== null) {
    try {
      return await sendToGuest(guest, file, options, flow, sink);
    } finally {
      guest.release();
    }
  }
  const { header, trailer } = options;
  try {
    if (header !== undefined) await taken(sink.write(header), flow);
    if (file.length > 0) await copyRange(file.fd, file, sink, flow);
    if (trailer !== undefined) await taken(sink.write(trailer), flow);
  } catch (error) {
    if (flow.bytes > 0 || header !== undefined) sink.destroy();
    throw error;
  }
  return file.length > 0 ? "copy" : "none";
};

/** Waits for a `net.Socket` that is still connecting; writing to a closed one would upset it. */
export async function connected(connection: SocketConnection): Promise<void> {
  if (connection.kind !== "socket") return;
  const { socket } = connection;
  if (socket.connecting) {
    await new Promise<void>((resolve) => {
      const settle = () => {
        socket.off("connect", settle).off("close", settle);
        resolve();
      };
      socket.on("connect", settle).on("close", settle);
    });
  }
  if (socket.pending || !socket.writable) {
    throw connectionClosed({ syscall: "write", cause: socket.errored ?? undefined });
  }
}

/** The portable way to write to a connection. */
export function sinkOf(connection: SocketConnection, guest: Guest | null): Sink {
  switch (connection.kind) {
    case "socket":
      return streamSink(connection.socket);
    case "deno": {
      const { conn } = connection;
      return {
        write: (bytes) => writeAll(conn, bytes),
        destroy: () => guest?.destroy() ?? close(conn),
      };
    }
    case "bun": {
      const { socket } = connection;
      return {
        async write(bytes) {
          while (bytes.length > 0) {
            const taken = socket.write(bytes);
            if (taken < 0 || socket.readyState <= 0) throw new Error("The socket is closed");
            bytes = bytes.subarray(taken);
            if (bytes.length > 0) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
          }
        },
        destroy: () => socket.terminate(),
      };
    }
  }
}

function close(conn: { close(): void }): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}
