/** What TCP can leave out where both ends are on this machine. @module */

import type { SocketAddress } from "../sys/address.ts";
import * as raw from "../sys/raw/mod.ts";
import { SocketLevel, TcpOption } from "../sys/socket_flags.ts";

/** The plainest congestion control, in every kernel and open to every user: see tcp(7). */
const PLAIN: Uint8Array = new TextEncoder().encode("reno");

/** Whether whoever talks to this address is on this machine, and talks TCP. */
export function isLoopback(address: SocketAddress): boolean {
  if (address.family === "IPv4") return address.address.startsWith("127.");
  return address.family === "IPv6" && /^(::1|::ffff:127\..*)$/i.test(address.address);
}

/**
 * Frees a socket from the timers of the system's congestion control: for loopback alone, where
 * nothing is lost and nobody else is on the line.
 *
 * BBR, the default of many servers, gives every segment a time at which it may leave; on loopback
 * that is a timer, and often an interrupt, per 64 KiB. Call it before connect(2), or on a
 * listener, whose connections inherit it. Where it is refused, the default remains.
 */
export function withoutPacing(fd: number): void {
  raw.setsockoptBytes(fd, SocketLevel.TCP, TcpOption.CONGESTION, PLAIN);
}
