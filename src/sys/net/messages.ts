/** Sending and receiving, socket options, and queue lengths. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { bytesOf, countOf, flagsOf, integer, MAX_INT } from "../arguments.ts";
import { check } from "../check.ts";
import { type FdLike, fdOf } from "../fd.ts";
import * as raw from "../raw/mod.ts";

/**
 * Sends bytes on a connected socket.
 *
 * On a stream, it may send fewer bytes than given; a datagram is sent whole.
 *
 * @param fd Socket.
 * @param source Bytes to send. With `MessageFlag.ZEROCOPY`, keep the memory allocated and unchanged
 * until the error queue reports completion: use memory of a `Region`.
 * @param flags Or-ed bits of `MessageFlag`. Default: 0.
 * @returns Bytes sent.
 *
 * @throws {TypeError} When `fd` is not a descriptor or `source` is not a `Uint8Array`.
 * @throws {RangeError} When `flags` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EAGAIN` when it would wait; `EPIPE`, `ECONNRESET` when the peer has
 * closed; `ENOTCONN`, `EDESTADDRREQ` without a peer; `EMSGSIZE` for a datagram that is too long;
 * `ENOBUFS`; `ENOTSOCK`, `EBADF`.
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
 * @param target Memory to fill. The rest of a longer datagram is lost.
 * @param flags Or-ed bits of `MessageFlag`. With `TRUNC`, the call returns the datagram's full
 * length even if `target` is shorter; on TCP it discards the bytes, see {@linkcode recvDiscard}.
 * Default: 0.
 * @returns Bytes received; 0 at the end of a stream, for an empty datagram, and for an empty
 * `target`.
 *
 * @throws {TypeError} When `fd` is not a descriptor or `target` is not a `Uint8Array`.
 * @throws {RangeError} When `flags` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EAGAIN` when it would wait; `ECONNRESET`, `ETIMEDOUT` when the connection
 * failed; `ENOTCONN`; `ENOTSOCK`, `EBADF`.
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
 * Discards received bytes inside the kernel: `recv(fd, NULL, count, MSG_TRUNC | flags)`.
 *
 * @param fd TCP socket.
 * @param count Maximum bytes to discard, an integer in 0..0x7ffff000.
 * @param flags More bits of `MessageFlag`. Default: 0.
 * @returns Bytes discarded; 0 at the end of the stream.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `EFAULT` on a non-TCP socket that has data; otherwise as {@linkcode recv}.
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
 * Returns a socket option whose value is an int.
 *
 * @param fd Socket.
 * @param level One of `SocketLevel`.
 * @param name One of `SocketOption`, `TcpOption` or `Ipv6Option`.
 * @returns The value.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
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
 * @param value The int, or the bytes of another type of option.
 *
 * @throws {TypeError} When `fd` is not a descriptor, or `value` is neither a number nor a
 * `Uint8Array`.
 * @throws {RangeError} When a number is not a 32-bit integer.
 * @throws {SyscallError} `ENOPROTOOPT` for an unknown option; `EINVAL` for a wrong value; `ENOENT`
 * for a layer of `TcpOption.ULP` that the kernel lacks; `ENOTCONN` for one that needs a connection;
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
 * For a regular file, counts from the position to the end; for a datagram socket, the next
 * datagram.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {SyscallError} `ENOTTY` for a descriptor without such a count; `EINVAL` for a listening
 * socket; `EBADF`.
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
 * On TCP, counts the bytes that the peer has not acknowledged: 0 means that all have arrived. Linux
 * only.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {SyscallError} `EINVAL` for a listening socket; `ENOTTY` if `fd` is not a socket;
 * `EBADF`.
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
