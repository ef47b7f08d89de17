/** TLS connections of Node.js whose sending side the kernel encrypts. @module */

import type { Socket } from "node:net";

/** The TCP socket below each of them. */
const below = new WeakMap<Socket, Socket>();

/** Records that the kernel encrypts what is written to `raw`, on behalf of `socket`. */
export function encryptedByKernel(socket: Socket, raw: Socket): void {
  below.set(socket, raw);
}

/** Returns the TCP socket to write plaintext to, if the kernel encrypts for this TLS socket. */
export function kernelTlsSocket(socket: Socket): Socket | undefined {
  return below.get(socket);
}
