/** How many connections and files the limit of open descriptors leaves room for. @module */

import { openFiles, openFilesLimit } from "../../../threads/open_files.ts";
import type { CacheConfig, Limits } from "./limits.ts";

/** Descriptors that are left to the program, and to the files of answers that are not kept. */
const SPARE = 64;

/** Descriptors of one thread: its event loop, wake-up, listener, mailbox, log and sockets. */
const PER_THREAD = 12;

/** What a server would take. */
export interface Wanted {
  readonly limits: Limits;
  readonly cache: CacheConfig;
  readonly threads: number;
  /** Descriptors of one connection: 2 where it may have one to a fallback. */
  readonly perConnection: number;
  /** Descriptors of one kept file: 2 where there are compressed copies. */
  readonly perFile: number;
}

/**
 * Lowers `maxConnections` and `maxFiles` to what RLIMIT_NOFILE leaves: a server that runs out of
 * descriptors can neither accept nor open a file (`EMFILE`). Kept files get a quarter at most.
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
