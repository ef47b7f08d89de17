/** Which connection makes room for another one. @module */

import { Phase } from "../connection/phase.ts";
import type { ConnectionHandle } from "../connection/contracts.ts";

/**
 * Chooses the connection that is missed the least: the oldest that waits for nothing but another
 * request, or else the oldest that has not asked for anything so far. `undefined` where all are at
 * work.
 *
 * @param connections In the order of their arrival.
 * @param except The one that something is being done for.
 */
export function leastMissed(
  connections: Iterable<ConnectionHandle>,
  except: ConnectionHandle | undefined,
): ConnectionHandle | undefined {
  let silent: ConnectionHandle | undefined;
  for (const connection of connections) {
    const { phase, reader: { partial, pending, requests } } = connection;
    if (connection === except || phase !== Phase.READING) continue;
    if (requests === 0) silent ??= connection;
    else if (!partial && !pending) return connection;
  }
  return silent;
}
