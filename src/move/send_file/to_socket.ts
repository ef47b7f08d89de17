/** Sending to a socket of the runtime. @module */

import { connectionOf } from "../../runtime/find.ts";
import { available } from "../../sys/libc.ts";
import { connected, sinkOf, type SocketConnection, taken } from "../engine/connection/sink.ts";
import { copyRange } from "../engine/portable_copy.ts";
import { sendToConnection } from "./send_loop.ts";
import type { Sender } from "./types.ts";

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
};
