/** Ends a connection so that its peer cannot mistake the data for complete. @module */

import type { Socket } from "node:net";

/** Closes a socket with a reset if the runtime supports it, else normally. */
export function reset(socket: Socket): void {
  // Deno supports it since 2.1, Bun since 1.2; Unix and encrypted sockets have no reset.
  if (!socket.destroyed && typeof socket.resetAndDestroy === "function") socket.resetAndDestroy();
  else socket.destroy();
}
