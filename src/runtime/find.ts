/** Detects the kind of connection that a caller passes. @module */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { builtin } from "../builtins.ts";
import { describe } from "../options.ts";
import { bunConnection, type BunSocket, isBunSocket } from "./bun.ts";
import { type DenoConn, denoConnection, isDenoConn } from "./deno.ts";
import { isResponse } from "./response.ts";
import { isPlain, socketConnection } from "./socket.ts";
import type { RuntimeConnection } from "./types.ts";

/** A connection, by the runtime's name for it. */
export type Connection =
  | { readonly kind: "response"; readonly response: ServerResponse }
  | { readonly kind: "socket"; readonly socket: Socket }
  | { readonly kind: "bun"; readonly socket: BunSocket }
  | { readonly kind: "deno"; readonly conn: DenoConn };

/** Detects the kind of `target`. Throws a `TypeError` that lists the kinds accepted. */
export function findConnection(target: unknown, action: string = "send to"): Connection {
  if (typeof target === "object" && target !== null) {
    if (isBunSocket(target)) return { kind: "bun", socket: target };
    if (isDenoConn(target)) return { kind: "deno", conn: target };
    if (target instanceof builtin("net").Socket) return { kind: "socket", socket: target };
    if (isResponse(target)) return { kind: "response", response: target };
  }
  throw new TypeError(
    `Cannot ${action} ${describe(target)}: expected a ServerResponse, a net.Socket, a socket of ` +
      "Bun.listen, a Deno.Conn or a descriptor",
  );
}

/**
 * The runtime connection behind a connection, or `null` if its descriptor is hidden or it encrypts.
 */
export function connectionOf(
  connection: Exclude<Connection, { kind: "response" }>,
): RuntimeConnection | null {
  switch (connection.kind) {
    case "socket": {
      const { socket } = connection;
      if (!isPlain(socket)) return null;
      const runtimeConnection = socketConnection(socket);
      // Deno had no descriptor left for a duplicate.
      return runtimeConnection.fd() < 0 && socket.writable ? null : runtimeConnection;
    }
    case "bun":
      return bunConnection(connection.socket);
    case "deno":
      return denoConnection(connection.conn);
  }
}
