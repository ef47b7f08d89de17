/** How large the pipes of a broadcast are. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import * as raw from "../../sys/raw/mod.ts";

/**
 * Capacity of a target's pipe in bytes: two of the largest chunks. As large, for the calls that it
 * saves, becomes the pipe that is read from. 1 GiB of a pipe to 16 TCP clients cost 0.18 to 0.22
 * CPU-seconds per GB with chunks of 64 KiB, pipes of 256 KiB and a source of 64 KiB; with all of the
 * pipes larger 0.18 to 0.24 with chunks of 64 KiB, 0.15 to 0.21 with 256 KiB, 0.12 to 0.18 with 512
 * KiB, 0.12 to 0.15 with 1 MiB, and 0.09 to 0.12 by a bare loop of the same calls in C (Linux 6.18).
 * A user without privileges has about 60 targets that take pages; the others get copies.
 */
export const PIPE_BYTES: number = 1024 * 1024;

/** Most bytes of the pipe that tee(2) reads from, and so of a chunk. */
export const CHUNK_BYTES: number = 512 * 1024;

/** A pipe that holds less, because the user has too many, is not worth its calls. */
export const LEAST_PIPE: number = 64 * 1024;

/** Lets the writer of a pipe put more into it at a time, where the user may have that. */
export function enlarge(fd: number): void {
  const { GETPIPE_SZ, SETPIPE_SZ } = platform.fcntl;
  const size = raw.fcntl(fd, GETPIPE_SZ, 0);
  if (size > 0 && size < PIPE_BYTES) raw.fcntl(fd, SETPIPE_SZ, PIPE_BYTES);
}
