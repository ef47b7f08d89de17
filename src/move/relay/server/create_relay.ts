/** Makes a relay for clients of a port or socket. @module */

import { Relay, type RelayServerOptions } from "./relay_server.ts";

/**
 * Creates a relay between clients and one upstream: see {@linkcode Relay}.
 *
 * Without foreign calls, the runtime's own sockets copy the bytes in your program's thread: see
 * `method`. They also do so, with a warning, if the file of sluice's threads is missing.
 *
 * @param options Address to listen on, address to connect to, and limits.
 * @returns The relay; call its `listen()`.
 *
 * @throws {TypeError} When an option has the wrong type.
 * @throws {RangeError} When a number is out of range.
 *
 * @example Relay a port to a Unix socket
 * ```ts ignore
 * const relay = createRelay({ listen: ":8080", upstream: "unix:/run/app.sock" });
 * console.log(await relay.listen());
 * process.once("SIGTERM", () => relay.close({ graceMs: 10_000 }));
 * ```
 */
export function createRelay(options: RelayServerOptions): Relay {
  return new Relay(options);
}
