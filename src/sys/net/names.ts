/** Addresses of a socket and of its peer, of descriptors that may be anything. @module */

import * as raw from "../raw/mod.ts";
import { decodeAddress, MAX_ADDRESS, type SocketAddress } from "./address.ts";

/** The address of a socket; `undefined` if the descriptor has none. */
export function localName(fd: number): SocketAddress | undefined {
  return nameBy(raw.getsockname, fd);
}

/** The address of its peer; `undefined` if the descriptor has none. */
export function peerName(fd: number): SocketAddress | undefined {
  return nameBy(raw.getpeername, fd);
}

function nameBy(
  call: (fd: number, target: Uint8Array) => number,
  fd: number,
): SocketAddress | undefined {
  const bytes = new Uint8Array(MAX_ADDRESS);
  const length = call(fd, bytes);
  return length > 0 ? decodeAddress(bytes.subarray(0, length)) : undefined;
}
