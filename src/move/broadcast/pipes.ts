/** Sizes of the pipes of a broadcast. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import * as raw from "../../sys/raw/mod.ts";

/**
 * Capacity of a target's pipe in bytes: two of the largest chunks. The source's pipe is enlarged to
 * the same size. Smaller pipes and chunks cost more CPU time per byte: see
 * `npm run bench -- broadcast`. An unprivileged user gets about 60 targets that take pages; the
 * others get copies.
 */
export const PIPE_BYTES: number = 1024 * 1024;

/** Maximum bytes of the pipe that tee(2) reads from, and so of a chunk. */
export const CHUNK_BYTES: number = 512 * 1024;

/** A smaller pipe, for a user who has too many, is not worth its calls. */
export const LEAST_PIPE: number = 64 * 1024;

/** Enlarges a pipe, if the user may, so that its writer can put more into it at a time. */
export function enlarge(fd: number): void {
  const { GETPIPE_SZ, SETPIPE_SZ } = platform.fcntl;
  const size = raw.fcntl(fd, GETPIPE_SZ, 0);
  if (size > 0 && size < PIPE_BYTES) raw.fcntl(fd, SETPIPE_SZ, PIPE_BYTES);
}
