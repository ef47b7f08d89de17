/** Computes how many connections and files the descriptor limit allows. @module */

import { openFiles, openFilesLimit } from "../../../threads/open_files.ts";
import type { CacheConfig, Limits } from "./limits.ts";

/** Descriptors reserved for the program, and for the files of uncached responses. */
const SPARE = 64;

/** Descriptors of one thread: its event loop, wake-up, listener, mailbox, log and sockets. */
const PER_THREAD = 12;

/** Limits that a server asks for. */
export interface Wanted {
  readonly limits: Limits;
  readonly cache: CacheConfig;
  readonly threads: number;
  /** Descriptors per connection: 2 if it may have one to a fallback. */
  readonly perConnection: number;
  /** Descriptors per cached file: 2 with compressed copies. */
  readonly perFile: number;
}

/**
 * Lowers `maxConnections` and `maxFiles` to fit RLIMIT_NOFILE: without descriptors, a server can
 * neither accept connections nor open files (`EMFILE`). Cached files get at most a quarter.
 */
export function fitLimits(
  { cache, limits, perConnection, perFile, threads }: Wanted,
  most: number | null = openFilesLimit(),
): { readonly limits: Limits; readonly cache: CacheConfig } {
  if (most === null) return { limits, cache };
  const left = Math.max(0, most - openFiles() - SPARE - PER_THREAD * threads);
  const maxFiles = Math.min(cache.maxFiles, Math.floor(left / 4 / threads / perFile));
  const rest = left / threads - maxFiles * perFile;
  const room = Math.max(1, Math.floor(rest / perConnection));
  const maxConnections = Math.min(limits.maxConnections, room);
  return { limits: { ...limits, maxConnections }, cache: { ...cache, maxFiles } };
}
