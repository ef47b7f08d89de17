/** Chooses a connection to close in favor of a new one. @module */

import { Phase } from "../connection/phase.ts";
import type { ConnectionHandle } from "../connection/contracts.ts";

/**
 * Chooses the oldest connection that waits for its next request, or else the oldest that has never
 * sent one. `undefined` if all are busy.
 *
 * @param connections In order of arrival.
 * @param except The connection being served, which must stay.
 */
export function leastMissed(
  connections: Iterable<ConnectionHandle>,
  except: unknown,
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
