/** Chooses connections of `node:http` to close in favor of new ones. @module */

import type { Server } from "node:http";
import type { Socket } from "node:net";
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
 */
export function makeRoom(server: Server, most: number, counters: Float64Array): void {
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
  // A connection that switches to another protocol is busy until it ends.
  server.on("upgrade", ({ socket }) => {
    const state = connections.get(socket as Socket);
    if (state !== undefined) state.active++;
  });
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
