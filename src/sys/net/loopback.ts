/** TCP tuning for connections within this machine. @module */

import type { SocketAddress } from "./address.ts";
import { localName, peerName } from "./names.ts";
import * as raw from "../raw/mod.ts";
import { SocketLevel, SocketOption, TcpOption } from "../flags/socket.ts";

/** Congestion control that every kernel has and every user may set: see tcp(7). */
const PLAIN: Uint8Array = new TextEncoder().encode("reno");

/** Congestion control that paces segments, as getsockopt(2) returns it, with its NUL. */
const PACED: Uint8Array = new TextEncoder().encode("bbr\0");

/** Whether this is a TCP address whose peers are on this machine. */
export function isLoopback(address: SocketAddress): boolean {
  if (address.family === "IPv4") return address.address.startsWith("127.");
  return address.family === "IPv6" && /^(::1|::ffff:127\..*)$/i.test(address.address);
}

/**
 * Turns off the pacing of the system's congestion control on a socket. For loopback only, which
 * loses no packets and shares no line.
 *
 * BBR, the default of many servers, schedules each segment. On loopback that costs a timer, and
 * often an interrupt, per 64 KiB. Call this before connect(2), or on a listener, whose connections
 * inherit it. If the kernel refuses, the default remains.
 */
export function withoutPacing(fd: number): void {
  raw.setsockoptBytes(fd, SocketLevel.TCP, TcpOption.CONGESTION, PLAIN);
}

/**
 * Like {@linkcode withoutPacing}, for an established connection that the runtime owns. Acts only if
 * the connection is paced and its peer is on this machine.
 *
 * The timers of such a connection stay but rarely wait: its rate follows the window instead of past
 * measurements.
 *
 * @returns Whether it changed the connection; call {@linkcode pacedAgain} afterwards.
 */
export function unpaced(fd: number): boolean {
  if (!isPaced(fd)) return false;
  const peer = peerName(fd);
  if (peer === undefined || !isLoopback(peer)) return false;
  return raw.setsockoptBytes(fd, SocketLevel.TCP, TcpOption.CONGESTION, PLAIN) === 0;
}

/**
 * Calls {@linkcode withoutPacing} on the listener that accepted a connection, so that its later
 * connections have no timers at all. Acts only if the listener is paced and bound to an address of
 * this machine, so that no connection of another machine can reach it.
 *
 * @param listener A descriptor that the runtime shows; checked against `connection`.
 */
export function unpaceListener(listener: number, connection: number): void {
  const { ACCEPTCONN } = SocketOption;
  if (raw.getsockopt(listener, SocketLevel.SOCKET, ACCEPTCONN, word) !== 0 || word[0] !== 1) return;
  if (!isPaced(listener)) return;
  const [bound, own] = [listener, connection].map(localName);
  if (bound === undefined || !isLoopback(bound)) return;
  if (portOf(bound) === portOf(own)) withoutPacing(listener);
}

/** Whether a socket, or the connections that it will accept, are paced by BBR. */
export function isPaced(fd: number): boolean {
  const { CONGESTION } = TcpOption;
  return raw.getsockopt(fd, SocketLevel.TCP, CONGESTION, word) === 0 && word[0] === paced;
}

function portOf(address: SocketAddress | undefined): number | undefined {
  return address !== undefined && "port" in address ? address.port : undefined;
}

/** Restores the congestion control that a connection had before {@linkcode unpaced}. */
export function pacedAgain(fd: number): void {
  raw.setsockoptBytes(fd, SocketLevel.TCP, TcpOption.CONGESTION, PACED);
}

const word = new Int32Array(1);
const paced: number = new Int32Array(PACED.slice().buffer)[0]!;
