/** Numbers of the calls on sockets. @module */

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

/** Values and bits of `type` in `socket()` and `socketpair()`; the bits also of `accept4()`. */
export const SocketType = {
  /** `SOCK_STREAM`: a stream of bytes. */
  STREAM: 1,
  /** `SOCK_DGRAM`: datagrams. */
  DGRAM: 2,
  /** `SOCK_SEQPACKET`: a stream of datagrams; `AF_UNIX`. */
  SEQPACKET: 5,
  /** `SOCK_NONBLOCK`: `EAGAIN` rather than waiting. */
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

/** Values of `name` at `SocketLevel.SOCKET`; -1, which is refused, where the system lacks one. */
export const SocketOption = {
  /** `SO_REUSEADDR`: 1 binds to an address whose old connections still linger. */
  REUSEADDR: numbers.SO_REUSEADDR as number,
  /** `SO_TYPE`: the type, to read only. */
  TYPE: numbers.SO_TYPE as number,
  /** `SO_ERROR`: the pending errno, cleared by reading it. */
  ERROR: numbers.SO_ERROR as number,
  /** `SO_SNDBUF`: bytes of the send buffer; Linux doubles what is set. */
  SNDBUF: numbers.SO_SNDBUF as number,
  /** `SO_RCVBUF`: bytes of the receive buffer; Linux doubles what is set. */
  RCVBUF: numbers.SO_RCVBUF as number,
  /** `SO_KEEPALIVE`: 1 probes an idle connection. */
  KEEPALIVE: numbers.SO_KEEPALIVE as number,
  /** `SO_LINGER`: two ints, on and seconds; `{ 1, 0 }` makes `close()` send a reset. */
  LINGER: numbers.SO_LINGER as number,
  /** `SO_REUSEPORT`: 1 shares the port with other sockets of this user that set it too. */
  REUSEPORT: numbers.SO_REUSEPORT as number,
  /** `SO_ACCEPTCONN`: 1 when the socket listens; to read only. */
  ACCEPTCONN: numbers.SO_ACCEPTCONN as number,
  /** `SO_ZEROCOPY`: 1 permits `MessageFlag.ZEROCOPY`, which copies nevertheless on loopback. */
  ZEROCOPY: numbers.SO_ZEROCOPY as number,
} as const;

/** Values of `name` at `SocketLevel.IPV6`. */
export const Ipv6Option = {
  /** `IPV6_V6ONLY`: 1 keeps IPv4 out; to be set before `bind()`. */
  V6ONLY: (platform.os === "linux" ? 26 : 27) as number,
} as const;

/** Values of `name` at `SocketLevel.TCP`; -1, which is refused, where the system lacks one. */
export const TcpOption = {
  /** `TCP_NODELAY`: 1 sends small segments at once. */
  NODELAY: 1,
  /** `TCP_CORK`: 1 sends full segments only; set 0 at the end, or 200 ms pass before the rest goes. */
  CORK: numbers.TCP_CORK as number,
  /** `TCP_CONGESTION`: name of the congestion control, as bytes: `"cubic"`, `"reno"`, `"bbr"`. */
  CONGESTION: numbers.TCP_CONGESTION as number,
  /** `TCP_NOTSENT_LOWAT`: writable only below that many unsent bytes. */
  NOTSENT_LOWAT: numbers.TCP_NOTSENT_LOWAT as number,
  /** `TCP_ULP`: name of a layer above, as bytes: `"tls"`; `ENOENT` when the kernel lacks it. */
  ULP: numbers.TCP_ULP as number,
} as const;

/** Values of `how` in `shutdown()`. */
export const ShutdownHow = {
  /** `SHUT_RD`: nothing is received any more. */
  RD: 0,
  /** `SHUT_WR`: nothing is sent any more; the peer sees the end. */
  WR: 1,
  /** `SHUT_RDWR`: both. */
  RDWR: 2,
} as const;

/** Bits of `flags` in `send()` and `recv()`; 0 where the system lacks one. */
export const MessageFlag = {
  /** `MSG_PEEK`: leaves what is received in the queue. */
  PEEK: message.PEEK as number,
  /** `MSG_TRUNC`: of a datagram, the real length is returned; of TCP, bytes are dropped unseen. */
  TRUNC: message.TRUNC as number,
  /** `MSG_WAITALL`: waits until all bytes are there. */
  WAITALL: message.WAITALL as number,
  /** `MSG_DONTWAIT`: `EAGAIN` rather than waiting, for this call. */
  DONTWAIT: message.DONTWAIT as number,
  /** `MSG_NOSIGNAL`: no SIGPIPE; the runtimes ignore that signal anyway. */
  NOSIGNAL: message.NOSIGNAL as number,
  /** `MSG_MORE`: more follows at once; see `TcpOption.CORK`. */
  MORE: message.MORE as number,
  /** `MSG_ZEROCOPY`: sends from the memory itself, which must not change until the error queue says so. */
  ZEROCOPY: message.ZEROCOPY as number,
} as const;
