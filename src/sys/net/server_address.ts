/** The address of a server, in the shape that all servers report. @module */

import type { IpAddress, SocketAddress, UnixAddress } from "./address.ts";

/** Address of a server. For a Unix socket, `address` and `path` are the path, and `port` is 0. */
export type ServerAddress =
  | IpAddress
  | (UnixAddress & { readonly address: string; readonly port: 0 });

/** Describes the address of a listening socket. */
export function serverAddress(address: SocketAddress): ServerAddress {
  return address.family === "Unix" ? { ...address, address: address.path, port: 0 } : address;
}

/**
 * Returns a URL that reaches a server from this machine, without a trailing slash, such as
 * `http://127.0.0.1:8080`; `unix:/run/app.sock` for a Unix socket. For a server on all interfaces,
 * it names the loopback address.
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
