/** Ending a connection so that its peer takes nothing for complete. @module */

import type { Socket } from "node:net";

/** Closes a socket with a reset, where the runtime can; else it is closed in the ordinary way. */
export function reset(socket: Socket): void {
  // Deno has had it since 2.1, Bun since 1.2; a Unix socket knows no reset, and encrypted ones none.
  if (!socket.destroyed && typeof socket.resetAndDestroy === "function") socket.resetAndDestroy();
  else socket.destroy();
}
