/** Sending and receiving, socket options, and what is queued. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { bytesOf, countOf, flagsOf, integer, MAX_INT } from "../arguments.ts";
import { check } from "../check.ts";
import { type FdLike, fdOf } from "../fd.ts";
import * as raw from "../raw/mod.ts";

/**
 * Sends bytes on a connected socket.
 *
 * Of a stream it may take fewer bytes than given; a datagram goes as a whole.
 *
 * @param fd Socket.
 * @param source Bytes to send. With `MessageFlag.ZEROCOPY` the memory must neither change nor go
 * before the error queue says so: use memory of a `Region`.
 * @param flags Or-ed bits of `MessageFlag`. Default: 0.
 * @returns Bytes taken.
 *
 * @throws {TypeError} When `fd` is no descriptor or `source` no `Uint8Array`.
 * @throws {RangeError} When `flags` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EAGAIN` when it would wait; `EPIPE`, `ECONNRESET` when the peer is gone;
 * `ENOTCONN`, `EDESTADDRREQ` when there is none; `EMSGSIZE` for a datagram that is too long; `ENOBUFS`;
 * `ENOTSOCK`, `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/send.2.html}
 */
export function send(fd: FdLike, source: Uint8Array, flags: number = 0): number {
  const to = fdOf(fd, "socket");
  bytesOf(source, "source");
  flagsOf(flags);
  return check(raw.send(to, source, flags), "send", () => `send to fd ${to}`);
}

/**
 * Receives bytes.
 *
 * @param fd Socket.
 * @param target Memory to fill. What a datagram holds beyond its length is lost.
 * @param flags Or-ed bits of `MessageFlag`. With `TRUNC`, the length of the datagram is returned
 * though it be more than `target` holds; on TCP the bytes are dropped, see {@linkcode recvDiscard}.
 * Default: 0.
 * @returns Bytes received; 0 at the end of a stream, for an empty datagram, and for an empty `target`.
 *
 * @throws {TypeError} When `fd` is no descriptor or `target` no `Uint8Array`.
 * @throws {RangeError} When `flags` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EAGAIN` when it would wait; `ECONNRESET`, `ETIMEDOUT` when the peer is gone;
 * `ENOTCONN`; `ENOTSOCK`, `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/recv.2.html}
 */
export function recv(fd: FdLike, target: Uint8Array, flags: number = 0): number {
  const from = fdOf(fd, "socket");
  bytesOf(target, "target");
  flagsOf(flags);
  return check(raw.recv(from, target, flags), "recv", () => `receive from fd ${from}`);
}

/**
 * Drops received bytes inside the kernel: `recv(fd, NULL, count, MSG_TRUNC | flags)`.
 *
 * @param fd TCP socket.
 * @param count Most bytes to drop, an integer in 0..0x7ffff000.
 * @param flags Further bits of `MessageFlag`. Default: 0.
 * @returns Bytes dropped; 0 at the end of the stream.
 *
 * @throws {TypeError} When `fd` is no descriptor.
 * @throws {RangeError} When a number is outside its range.
 * @throws {SyscallError} `EFAULT` on other sockets that have data; otherwise as {@linkcode recv}.
 *
 * @see {@link https://man7.org/linux/man-pages/man7/tcp.7.html}
 */
export function recvDiscard(fd: FdLike, count: number, flags: number = 0): number {
  const from = fdOf(fd, "socket");
  countOf(count);
  flagsOf(flags);
  return check(raw.recvDiscard(from, count, flags), "recv", () => `drop bytes of fd ${from}`);
}

/**
 * Returns an option of a socket whose value is an int.
 *
 * @param fd Socket.
 * @param level One of `SocketLevel`.
 * @param name One of `SocketOption`, `TcpOption` or `Ipv6Option`.
 * @returns The value.
 *
 * @throws {TypeError} When `fd` is no descriptor.
 * @throws {RangeError} When a number is not an integer in 0..2^31-1.
 * @throws {SyscallError} `ENOPROTOOPT` for an unknown option; `EOPNOTSUPP` for an unknown level;
 * `ENOTSOCK`, `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/getsockopt.2.html}
 */
export function getsockopt(fd: FdLike, level: number, name: number): number {
  const number = fdOf(fd, "socket");
  flagsOf(level, "level");
  flagsOf(name, "name");
  const out = new Int32Array(1);
  check(
    raw.getsockopt(number, level, name, out),
    "getsockopt",
    () => `read option ${name} of fd ${number}`,
  );
  return out[0]!;
}

/**
 * Sets an option of a socket.
 *
 * @param fd Socket.
 * @param level One of `SocketLevel`.
 * @param name One of `SocketOption`, `TcpOption` or `Ipv6Option`.
 * @param value The int, or the bytes of an option that is something else.
 *
 * @throws {TypeError} When `fd` is no descriptor, or `value` neither number nor `Uint8Array`.
 * @throws {RangeError} When a number is not a 32-bit integer.
 * @throws {SyscallError} `ENOPROTOOPT` for an unknown option; `EINVAL` for a wrong value; `ENOENT` for
 * a layer of `TcpOption.ULP` that the kernel lacks; `ENOTCONN` for one that needs a connection;
 * `EOPNOTSUPP`, `EPERM`, `ENOTSOCK`, `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/setsockopt.2.html}
 */
export function setsockopt(
  fd: FdLike,
  level: number,
  name: number,
  value: number | Uint8Array,
): void {
  const number = fdOf(fd, "socket");
  flagsOf(level, "level");
  flagsOf(name, "name");
  const result = typeof value === "number"
    ? raw.setsockopt(number, level, name, integer(value, "value", -MAX_INT - 1, MAX_INT))
    : raw.setsockoptBytes(number, level, name, bytesOf(value, "value"));
  check(result, "setsockopt", () => `set option ${name} of fd ${number}`);
}

/**
 * Returns the bytes that can be read at once (the `FIONREAD` ioctl).
 *
 * Of a regular file, those from the position to the end; of a datagram socket, the next datagram.
 *
 * @throws {TypeError} When `fd` is no descriptor.
 * @throws {SyscallError} `ENOTTY` for what cannot tell; `EINVAL` for a socket that listens; `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/FIONREAD.2const.html}
 */
export function fionread(fd: FdLike): number {
  const number = fdOf(fd);
  return check(
    raw.ioctlInt(number, platform.ioctl.FIONREAD),
    "ioctl",
    () => `count the readable bytes of fd ${number}`,
  );
}

/**
 * Returns the bytes in the send queue of a socket (the `SIOCOUTQ` ioctl).
 *
 * Of TCP, those that the peer has not acknowledged: 0 means that all have arrived. Linux only.
 *
 * @throws {TypeError} When `fd` is no descriptor.
 * @throws {SyscallError} `EINVAL` for a socket that listens; `ENOTTY` for what is no socket; `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man7/tcp.7.html}
 */
export function siocoutq(fd: FdLike): number {
  const number = fdOf(fd, "socket");
  return check(
    raw.ioctlInt(number, platform.ioctl.SIOCOUTQ),
    "ioctl",
    () => `count the queued bytes of fd ${number}`,
  );
}
