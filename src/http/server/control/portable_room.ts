/** Chooses connections of `node:http` to close in favor of new ones. @module */

import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Counter } from "./config.ts";

/** Activity of a connection. */
interface State {
  requests: number;
  /** Requests without a complete response. */
  active: number;
}

/**
 * Limits a server to `most` connections. One more replaces the oldest that waits for its next
 * request, or else the oldest that has never sent one. If all are busy, the new one is closed.
 *
 * Returns a function that says that a connection is busy until it ends, because it switches to another
 * protocol. The server's own event must not be listened to for that: with a listener, the runtimes leave
 * such requests to it.
 */
export function makeRoom(
  server: Server,
  most: number,
  counters: Float64Array,
): (socket: Duplex) => void {
  const connections = new Map<Socket, State>();
  server.on("connection", (socket: Socket) => {
    counters[Counter.ACCEPTED]!++;
    counters[Counter.OPEN]!++;
    connections.set(socket, { requests: 0, active: 0 });
    socket.on("close", () => {
      counters[Counter.OPEN]!--;
      connections.delete(socket);
    });
    if (connections.size <= most) return;
    const chosen = leastMissed(connections, socket);
    counters[chosen === socket ? Counter.REFUSED : Counter.SHED]!++;
    connections.delete(chosen);
    chosen.destroy();
  });
  server.on("request", ({ socket }, response) => {
    const state = connections.get(socket);
    if (state === undefined) return;
    state.requests++;
    state.active++;
    response.on("close", () => state.active--);
  });
  return (socket) => {
    const state = connections.get(socket as Socket);
    if (state !== undefined) state.active++;
  };
}

/** In order of arrival. */
function leastMissed(connections: ReadonlyMap<Socket, State>, newest: Socket): Socket {
  let silent: Socket | undefined;
  for (const [socket, { active, requests }] of connections) {
    if (active > 0 || socket === newest) continue;
    if (requests > 0) return socket;
    silent ??= socket;
  }
  return silent ?? newest;
}
