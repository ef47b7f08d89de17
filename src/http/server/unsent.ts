/** Bounding what slow readers leave in the kernel. @module */

import * as raw from "../../sys/raw/mod.ts";
import { SocketLevel, TcpOption } from "../../sys/socket_flags.ts";

/**
 * Connections of a thread up to which nobody is limited: 1 GiB at most. 100 clients of 100 MiB cost 0.10
 * CPU-seconds per GB then, and 0.16 to 0.19 with the limit, because acknowledgements find more to send
 * (Node.js and Bun, Linux 6.18).
 */
export const FEW = 256;

const LOW_WATER = 128 * 1024;

/**
 * Sets the unsent bytes at which a socket takes more. It is for where there are many: the up to 4 MiB of
 * each of 10,000 slow readers would be more than the kernel grants to all of TCP.
 */
export function limitUnsent(fd: number): void {
  raw.setsockopt(fd, SocketLevel.TCP, TcpOption.NOTSENT_LOWAT, LOW_WATER);
}
