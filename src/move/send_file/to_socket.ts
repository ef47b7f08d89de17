/** Sending to a socket of the runtime. @module */

import { writeAll } from "../../runtime/deno.ts";
import { type Connection, connectionOf } from "../../runtime/find.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import { available } from "../../sys/libc.ts";
import { connectionClosed } from "../engine/connection/closed.ts";
import { copyRange, type Sink, streamSink, taken } from "../engine/portable_copy.ts";
import { sendToConnection } from "./send_loop.ts";
import type { Sender } from "./types.ts";

/** A connection that is a socket. */
export type SocketConnection = Exclude<Connection, { kind: "response" }>;

/** Pause between tries where nothing tells when a socket of Bun takes bytes again, in milliseconds. */
const RETRY_MS = 5;

/** Sends to a socket, by its descriptor where there is one that may be written to. */
export const sendToSocket: Sender<SocketConnection> = async (
  connection,
  file,
  options,
  progress,
) => {
  await connected(connection);
  const runtimeConnection = available() ? connectionOf(connection) : null;
  const sink = sinkOf(connection, runtimeConnection);
  if (runtimeConnection !== null) {
    try {
      return await sendToConnection(runtimeConnection, file, options, progress, sink);
    } finally {
      runtimeConnection.release();
    }
  }
  const { header, trailer } = options;
  try {
    if (header !== undefined) await taken(sink.write(header), progress);
    if (file.length > 0) await copyRange(file.fd, file, sink, progress);
    if (trailer !== undefined) await taken(sink.write(trailer), progress);
  } catch (error) {
    if (progress.bytes > 0 || header !== undefined) sink.destroy();
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
export function sinkOf(
  connection: SocketConnection,
  runtimeConnection: RuntimeConnection | null,
): Sink {
  switch (connection.kind) {
    case "socket":
      return streamSink(connection.socket);
    case "deno": {
      const { conn } = connection;
      return {
        write: (bytes) => writeAll(conn, bytes),
        destroy: () => runtimeConnection?.destroy() ?? close(conn),
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
