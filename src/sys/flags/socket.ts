/** Constants of the calls on sockets. @module */

import { platform } from "../../../ffi/platform/mod.ts";

const { socket: numbers, message } = platform;

/** Values of `domain` in `socket()` and `socketpair()`. */
export const AddressFamily = {
  /** `AF_UNIX`: within one machine. */
  UNIX: numbers.AF_UNIX as number,
  /** `AF_INET`: IPv4. */
  INET: numbers.AF_INET as number,
  /** `AF_INET6`: IPv6, and IPv4 in its mapped form unless `IPV6_V6ONLY` is set. */
  INET6: numbers.AF_INET6 as number,
} as const;

/**
 * Values and bits of `type` in `socket()` and `socketpair()`; the bits also apply to `accept4()`.
 */
export const SocketType = {
  /** `SOCK_STREAM`: a stream of bytes. */
  STREAM: 1,
  /** `SOCK_DGRAM`: datagrams. */
  DGRAM: 2,
  /** `SOCK_SEQPACKET`: ordered datagrams on a connection; `AF_UNIX`. */
  SEQPACKET: 5,
  /** `SOCK_NONBLOCK`: `EAGAIN` instead of waiting. */
  NONBLOCK: numbers.SOCK_NONBLOCK as number,
  /** `SOCK_CLOEXEC`: closes the descriptor in programs that this process starts. */
  CLOEXEC: numbers.SOCK_CLOEXEC as number,
} as const;

/** Values of `level` in `getsockopt()` and `setsockopt()`. */
export const SocketLevel = {
  /** `SOL_SOCKET`: options of all sockets, see {@linkcode SocketOption}. */
  SOCKET: numbers.SOL_SOCKET as number,
  /** `IPPROTO_IPV6`: options of IPv6, see {@linkcode Ipv6Option}. */
  IPV6: 41,
  /** `IPPROTO_TCP`: options of TCP, see {@linkcode TcpOption}. */
  TCP: 6,
} as const;

/** Values of `name` at `SocketLevel.SOCKET`; -1, which is rejected, if the system lacks one. */
export const SocketOption = {
  /** `SO_REUSEADDR`: 1 binds to an address that still has old connections. */
  REUSEADDR: numbers.SO_REUSEADDR as number,
  /** `SO_TYPE`: the type; read-only. */
  TYPE: numbers.SO_TYPE as number,
  /** `SO_ERROR`: the pending errno; reading clears it. */
  ERROR: numbers.SO_ERROR as number,
  /** `SO_SNDBUF`: send buffer in bytes; Linux doubles the value you set. */
  SNDBUF: numbers.SO_SNDBUF as number,
  /** `SO_RCVBUF`: receive buffer in bytes; Linux doubles the value you set. */
  RCVBUF: numbers.SO_RCVBUF as number,
  /** `SO_KEEPALIVE`: 1 probes an idle connection. */
  KEEPALIVE: numbers.SO_KEEPALIVE as number,
  /** `SO_LINGER`: two ints, on and seconds; `{ 1, 0 }` makes `close()` send a reset. */
  LINGER: numbers.SO_LINGER as number,
  /** `SO_REUSEPORT`: 1 shares the port with other sockets of this user that also set it. */
  REUSEPORT: numbers.SO_REUSEPORT as number,
  /** `SO_ACCEPTCONN`: 1 if the socket listens; read-only. */
  ACCEPTCONN: numbers.SO_ACCEPTCONN as number,
  /** `SO_ZEROCOPY`: 1 allows `MessageFlag.ZEROCOPY`, which still copies on loopback. */
  ZEROCOPY: numbers.SO_ZEROCOPY as number,
  /** `SO_MAX_PACING_RATE`: most bytes per second that TCP sends; -1 for no limit. Linux 4.13. */
  MAX_PACING_RATE: numbers.SO_MAX_PACING_RATE as number,
} as const;

/** Values of `name` at `SocketLevel.IPV6`. */
export const Ipv6Option = {
  /** `IPV6_V6ONLY`: 1 excludes IPv4; set it before `bind()`. */
  V6ONLY: (platform.os === "linux" ? 26 : 27) as number,
} as const;

/** Values of `name` at `SocketLevel.TCP`; -1, which is rejected, if the system lacks one. */
export const TcpOption = {
  /** `TCP_NODELAY`: 1 sends small segments at once. */
  NODELAY: 1,
  /** `TCP_CORK`: 1 sends full segments only; set 0 at the end, or the rest waits 200 ms. */
  CORK: numbers.TCP_CORK as number,
  /** `TCP_CONGESTION`: name of the congestion control, as bytes: `"cubic"`, `"reno"`, `"bbr"`. */
  CONGESTION: numbers.TCP_CONGESTION as number,
  /** `TCP_NOTSENT_LOWAT`: writable only while fewer bytes are unsent. */
  NOTSENT_LOWAT: numbers.TCP_NOTSENT_LOWAT as number,
  /** `TCP_ULP`: name of an upper layer, as bytes: `"tls"`; `ENOENT` if the kernel lacks it. */
  ULP: numbers.TCP_ULP as number,
} as const;

/** Values of `how` in `shutdown()`. */
export const ShutdownHow = {
  /** `SHUT_RD`: ends receiving. */
  RD: 0,
  /** `SHUT_WR`: ends sending; the peer reads the end of the stream. */
  WR: 1,
  /** `SHUT_RDWR`: ends both. */
  RDWR: 2,
} as const;

/** Bits of `flags` in `send()` and `recv()`; 0 if the system lacks one. */
export const MessageFlag = {
  /** `MSG_PEEK`: leaves the received bytes in the queue. */
  PEEK: message.PEEK as number,
  /** `MSG_TRUNC`: returns the full length of a datagram; on TCP, discards bytes. */
  TRUNC: message.TRUNC as number,
  /** `MSG_WAITALL`: waits until all bytes have arrived. */
  WAITALL: message.WAITALL as number,
  /** `MSG_DONTWAIT`: `EAGAIN` instead of waiting, for this call. */
  DONTWAIT: message.DONTWAIT as number,
  /** `MSG_NOSIGNAL`: no SIGPIPE; the runtimes ignore that signal anyway. */
  NOSIGNAL: message.NOSIGNAL as number,
  /** `MSG_MORE`: more bytes follow at once; see `TcpOption.CORK`. */
  MORE: message.MORE as number,
  /**
   * `MSG_ZEROCOPY`: sends from the memory itself; don't change it until the error queue reports
   * completion.
   */
  ZEROCOPY: message.ZEROCOPY as number,
} as const;
