/** What TCP can leave out where both ends are on this machine. @module */

import { decodeAddress, MAX_ADDRESS, type SocketAddress } from "./address.ts";
import * as raw from "../raw/mod.ts";
import { SocketLevel, TcpOption } from "../flags/socket.ts";

/** The plainest congestion control, in every kernel and open to every user: see tcp(7). */
const PLAIN: Uint8Array = new TextEncoder().encode("reno");

/** The one that gives every segment its time, as getsockopt(2) tells it: three letters and a zero. */
const PACED: Uint8Array = new TextEncoder().encode("bbr\0");

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

/**
 * As {@linkcode withoutPacing}, for a connection that is established, and somebody else's: only where
 * it is paced, and its peer is on this machine.
 *
 * The timers of such a connection stay, but they hardly ever have to wait: its rate is no longer what
 * was measured in the past, and follows the window.
 *
 * @returns Whether it has done so, and {@linkcode pacedAgain} is to follow.
 */
export function unpaced(fd: number): boolean {
  const { CONGESTION } = TcpOption;
  if (raw.getsockopt(fd, SocketLevel.TCP, CONGESTION, name) !== 0 || name[0] !== paced) {
    return false;
  }
  const peer = new Uint8Array(MAX_ADDRESS);
  const length = raw.getpeername(fd, peer);
  if (length <= 0 || !isLoopback(decodeAddress(peer.subarray(0, length)))) return false;
  return raw.setsockoptBytes(fd, SocketLevel.TCP, CONGESTION, PLAIN) === 0;
}

/** Gives a connection back the congestion control that it had before {@linkcode unpaced}. */
export function pacedAgain(fd: number): void {
  raw.setsockoptBytes(fd, SocketLevel.TCP, TcpOption.CONGESTION, PACED);
}

const name = new Int32Array(1);
const paced: number = new Int32Array(PACED.slice().buffer)[0]!;
