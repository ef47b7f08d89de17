/** TCP tuning for connections within this machine. @module */

import { decodeAddress, MAX_ADDRESS, type SocketAddress } from "./address.ts";
import * as raw from "../raw/mod.ts";
import { SocketLevel, TcpOption } from "../flags/socket.ts";

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
  const { CONGESTION } = TcpOption;
  if (raw.getsockopt(fd, SocketLevel.TCP, CONGESTION, name) !== 0 || name[0] !== paced) {
    return false;
  }
  const peer = new Uint8Array(MAX_ADDRESS);
  const length = raw.getpeername(fd, peer);
  if (length <= 0 || !isLoopback(decodeAddress(peer.subarray(0, length)))) return false;
  return raw.setsockoptBytes(fd, SocketLevel.TCP, CONGESTION, PLAIN) === 0;
}

/** Restores the congestion control that a connection had before {@linkcode unpaced}. */
export function pacedAgain(fd: number): void {
  raw.setsockoptBytes(fd, SocketLevel.TCP, TcpOption.CONGESTION, PACED);
}

const name = new Int32Array(1);
const paced: number = new Int32Array(PACED.slice().buffer)[0]!;
