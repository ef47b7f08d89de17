/**
 * Looks for the descriptor of a connection that Bun hides, among those of the process, by both addresses.
 * @module
 */

import type { Socket } from "node:net";
import { platform } from "../../ffi/platform/mod.ts";
import { MAX_ADDRESS, type SocketAddress } from "../sys/net/address.ts";
import { localName, peerName } from "../sys/net/names.ts";
import * as raw from "../sys/raw/mod.ts";

/** Numbers that the search tries, and how many bytes of the body pay for one of them. */
const MOST_NUMBERS = 4096;
const BYTES_FOR_NUMBER = 4096;

/** Numbers that were found before. */
const MOST_RECENT = 32;
const recent: number[] = [];

/** Receives addresses. */
const peer = new Uint8Array(MAX_ADDRESS);

/** Where the descriptor of a connection was found. */
const found = new WeakMap<Socket, number>();

/**
 * A duplicate of the descriptor of a connection; -1 if it was not found for less than what `length` bytes
 * gain. New connections often get the numbers of those that have closed, and else low ones.
 */
export function duplicateOf(socket: Socket, length: number): number {
  const known = found.get(socket);
  const likely = known === undefined ? recent : [known, ...recent];
  const most = Math.min(MOST_NUMBERS, length / BYTES_FOR_NUMBER);
  for (let i = -likely.length; i < most; i++) {
    const number = i < 0 ? likely[i + likely.length]! : i;
    const fd = duplicateIf(number, socket);
    if (fd < 0) continue;
    found.set(socket, number);
    if (!recent.includes(number)) recent.unshift(number);
    recent.length = Math.min(recent.length, MOST_RECENT);
    return fd;
  }
  return -1;
}

/** Looks at the duplicate: the number may be another file's by the next call. */
function duplicateIf(fd: number, socket: Socket): number {
  // Most others are no sockets, or have another peer. The port is in network order: ip(7), ipv6(7).
  if (raw.getpeername(fd, peer) < 4) return -1;
  if ((peer[2]! << 8 | peer[3]!) !== socket.remotePort) return -1;
  const own = raw.fcntl(fd, platform.fcntl.DUPFD_CLOEXEC, 0);
  if (own < 0) return -1;
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  const same = isName(peerName(own), remoteAddress, remotePort) &&
    isName(localName(own), localAddress, localPort);
  if (same) return own;
  raw.close(own);
  return -1;
}

function isName(
  name: SocketAddress | undefined,
  address: string | undefined,
  port: number | undefined,
): boolean {
  return name !== undefined && "port" in name && name.port === port && address !== undefined &&
    plain(name.address) === plain(address);
}

/** Without the prefix of IPv4 addresses on sockets of IPv6. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
