/** Opens the sockets on which threads accept connections. @module */

import { encodeAddress, type SocketAddress } from "./address.ts";
import { check } from "../check.ts";
import * as raw from "../raw/mod.ts";
import {
  AddressFamily,
  SocketLevel,
  SocketOption,
  SocketType,
  TcpOption,
} from "../flags/socket.ts";

/** C number of each address family. */
const FAMILIES = {
  IPv4: AddressFamily.INET,
  IPv6: AddressFamily.INET6,
  Unix: AddressFamily.UNIX,
} as const;

const FLAGS = SocketType.STREAM | SocketType.NONBLOCK | SocketType.CLOEXEC;

/**
 * Creates a stream socket for addresses of `family`, non-blocking and close-on-exec.
 *
 * @returns The descriptor, or `-errno`.
 */
export function streamSocket(family: SocketAddress["family"]): number {
  return raw.socket(familyNumber(family), FLAGS, 0);
}

/** Returns the number of an address family, such as `AF_INET`. */
export function familyNumber(family: SocketAddress["family"]): number {
  return FAMILIES[family];
}

/**
 * Listens on an address.
 *
 * Connections inherit `TCP_NODELAY` from the listener.
 *
 * @returns The descriptor; the caller closes it, and removes the file of a Unix socket.
 *
 * @throws {TypeError} When the address is invalid.
 * @throws {SyscallError} `EADDRINUSE`, also for an existing path; `EADDRNOTAVAIL`, `EACCES`,
 * `ENOENT`, `EMFILE` and others.
 */
export function openListener(address: SocketAddress, backlog: number = 511): number {
  const bytes = encodeAddress(address);
  const where = address.family === "Unix" ? address.path : `${address.address}:${address.port}`;
  const action = () => `listen on ${where}`;
  const fd = check(streamSocket(address.family), "socket", action);
  try {
    if (address.family !== "Unix") {
      raw.setsockopt(fd, SocketLevel.SOCKET, SocketOption.REUSEADDR, 1);
      raw.setsockopt(fd, SocketLevel.TCP, TcpOption.NODELAY, 1);
    }
    check(raw.bind(fd, bytes), "bind", action);
    check(raw.listen(fd, backlog), "listen", action);
    return fd;
  } catch (cause) {
    raw.close(fd);
    throw cause;
  }
}
