/** Creates and connects sockets. @module */

import { decodeAddress, encodeAddress, MAX_ADDRESS, type SocketAddress } from "./address.ts";
import { flagsOf, integer, MAX_INT } from "../arguments.ts";
import { check } from "../check.ts";
import { type FdLike, fdOf } from "../fd.ts";
import * as raw from "../raw/mod.ts";

/**
 * Creates a socket.
 *
 * @param domain One of `AddressFamily`.
 * @param type One of `SocketType`, or-ed with `NONBLOCK` and `CLOEXEC`.
 * @param protocol 0 for the default protocol. Default: 0.
 * @returns The descriptor; the caller closes it.
 *
 * @throws {RangeError} When a number is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EAFNOSUPPORT`, `EPROTONOSUPPORT`, `EINVAL` for an unsupported
 * combination; `EMFILE`, `ENFILE`; `EPERM` or `EACCES` without permission.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/socket.2.html}
 */
export function socket(domain: number, type: number, protocol: number = 0): number {
  flagsOf(domain, "domain");
  flagsOf(type, "type");
  flagsOf(protocol, "protocol");
  return check(raw.socket(domain, type, protocol), "socket", () => "create a socket");
}

/**
 * Creates two connected sockets.
 *
 * @param domain `AddressFamily.UNIX`.
 * @param type As for {@linkcode socket}.
 * @param protocol 0. Default: 0.
 * @returns Both descriptors; the caller closes them.
 *
 * @throws {RangeError} When a number is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EOPNOTSUPP` for another domain; `EPROTONOSUPPORT`; `EMFILE`, `ENFILE`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/socketpair.2.html}
 */
export function socketpair(
  domain: number,
  type: number,
  protocol: number = 0,
): [first: number, second: number] {
  flagsOf(domain, "domain");
  flagsOf(type, "type");
  flagsOf(protocol, "protocol");
  const fds = new Int32Array(2);
  check(raw.socketpair(domain, type, protocol, fds), "socketpair", () => "create two sockets");
  return [fds[0]!, fds[1]!];
}

/**
 * Binds a socket to an address.
 *
 * @param fd Socket.
 * @param address Address; port 0 chooses one, see {@linkcode getsockname}. Creates a Unix path.
 *
 * @throws {TypeError} When `fd` is not a descriptor or `address` is not an address.
 * @throws {RangeError} When the port is outside 0..65535.
 * @throws {SyscallError} `EADDRINUSE`; `EADDRNOTAVAIL` for an address of another machine; `EACCES`
 * for a port that needs privileges; `EINVAL` when already bound; `ENOENT`, `ENOTDIR`, `EROFS` for a
 * path; `EAFNOSUPPORT` for another family; `ENOTSOCK`, `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/bind.2.html}
 */
export function bind(fd: FdLike, address: SocketAddress): void {
  const number = fdOf(fd, "socket");
  check(
    raw.bind(number, encodeAddress(address)),
    "bind",
    () => `bind fd ${number} to ${textOf(address)}`,
  );
}

/**
 * Makes a bound socket accept connections.
 *
 * @param fd Socket.
 * @param backlog Length of the queue of new connections; the kernel caps it at
 * `net.core.somaxconn`.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When `backlog` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EADDRINUSE`; `EOPNOTSUPP` for a type without connections; `EINVAL` when
 * connected; `ENOTSOCK`, `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/listen.2.html}
 */
export function listen(fd: FdLike, backlog: number): void {
  const number = fdOf(fd, "socket");
  integer(backlog, "backlog", 0, MAX_INT);
  check(raw.listen(number, backlog), "listen", () => `listen on fd ${number}`);
}

/**
 * Accepts the next connection.
 *
 * The new socket inherits no status flags of the listener. Linux only.
 *
 * @param fd Listening socket.
 * @param flags `SocketType.NONBLOCK`, `SocketType.CLOEXEC`. Default: 0.
 * @returns The descriptor; the caller closes it. {@linkcode getpeername} returns the peer's
 * address.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When `flags` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EAGAIN` when non-blocking and no connection waits; `ECONNABORTED` and
 * other errors of a connection that failed meanwhile: try again; `EMFILE`, `ENFILE`; `EINVAL` when
 * the socket does not listen, or for unknown flags; `EOPNOTSUPP`, `ENOTSOCK`, `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/accept4.2.html}
 */
export function accept4(fd: FdLike, flags: number = 0): number {
  const number = fdOf(fd, "socket");
  flagsOf(flags);
  return check(raw.accept4(number, flags), "accept4", () => `accept on fd ${number}`);
}

/**
 * Connects a socket.
 *
 * @param fd Socket. A non-blocking one throws `EINPROGRESS`: once it is writable,
 * `SocketOption.ERROR` has the outcome.
 * @param address Address of the peer.
 *
 * @throws {TypeError} When `fd` is not a descriptor or `address` is not an address.
 * @throws {RangeError} When the port is outside 0..65535.
 * @throws {SyscallError} `EINPROGRESS` or, for a Unix socket, `EAGAIN` when it would wait;
 * `ECONNREFUSED`; `ENOENT` for a Unix path; `ETIMEDOUT`, `ENETUNREACH`; `EISCONN`, `EALREADY`;
 * `EAFNOSUPPORT` for another family; `ENOTSOCK`, `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/connect.2.html}
 */
export function connect(fd: FdLike, address: SocketAddress): void {
  const number = fdOf(fd, "socket");
  check(
    raw.connect(number, encodeAddress(address)),
    "connect",
    () => `connect fd ${number} to ${textOf(address)}`,
  );
}

/**
 * Shuts down one or both directions of a connection, for all descriptors that share the socket.
 *
 * @param fd Socket; it stays open.
 * @param how One of `ShutdownHow`.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When `how` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `ENOTCONN`; `EINVAL` for an unknown `how`; `ENOTSOCK`, `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/shutdown.2.html}
 */
export function shutdown(fd: FdLike, how: number): void {
  const number = fdOf(fd, "socket");
  flagsOf(how, "how");
  check(raw.shutdown(number, how), "shutdown", () => `shut fd ${number} down`);
}

/**
 * Returns the local address of a socket.
 *
 * @throws {TypeError} When `fd` is not a descriptor, or the address is neither IP nor Unix.
 * @throws {SyscallError} `ENOTSOCK`, `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/getsockname.2.html}
 */
export function getsockname(fd: FdLike): SocketAddress {
  return named(fdOf(fd, "socket"), raw.getsockname, "getsockname");
}

/**
 * Returns the address of the peer of a socket.
 *
 * @throws {TypeError} When `fd` is not a descriptor, or the address is neither IP nor Unix.
 * @throws {SyscallError} `ENOTCONN` when not connected, or no longer; `ENOTSOCK`, `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/getpeername.2.html}
 */
export function getpeername(fd: FdLike): SocketAddress {
  return named(fdOf(fd, "socket"), raw.getpeername, "getpeername");
}

function named(
  fd: number,
  call: (fd: number, target: Uint8Array) => number,
  syscall: string,
): SocketAddress {
  const target = new Uint8Array(MAX_ADDRESS);
  const length = check(call(fd, target), syscall, () => `name fd ${fd}`);
  return decodeAddress(target.subarray(0, length));
}

function textOf(address: SocketAddress): string {
  return JSON.stringify(
    address.family === "Unix" ? address.path : `${address.address}:${address.port}`,
  );
}
