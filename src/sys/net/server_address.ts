/** Where a server listens, in the one shape that all servers tell it in. @module */

import type { IpAddress, SocketAddress, UnixAddress } from "./address.ts";

/**
 * Where a server listens. `address` is the path and `port` is 0 for a Unix socket, which also has
 * `path`.
 */
export type ServerAddress =
  | IpAddress
  | (UnixAddress & { readonly address: string; readonly port: 0 });

/** Describes the address of a listening socket. */
export function serverAddress(address: SocketAddress): ServerAddress {
  return address.family === "Unix" ? { ...address, address: address.path, port: 0 } : address;
}

/**
 * Returns a URL that reaches a server from this machine, without a slash at its end, such as
 * `http://127.0.0.1:8080`; `unix:/run/app.sock` for a Unix socket. A server on all interfaces is
 * reached through the loopback one.
 */
export function urlOf(scheme: string, address: ServerAddress): string {
  const { family } = address;
  if (family === "Unix") return `unix:${address.path}`;
  if (family === "IPv4") {
    return `${scheme}://${
      address.address === "0.0.0.0" ? "127.0.0.1" : address.address
    }:${address.port}`;
  }
  return `${scheme}://[${address.address === "::" ? "::1" : address.address}]:${address.port}`;
}
