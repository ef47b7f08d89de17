/** How many connections the limit of open descriptors leaves room for, and who makes room. @module */

import { openFiles, openFilesLimit } from "../../../threads/open_files.ts";

/** Descriptors that are left to the program, and to pipes: without one, bytes are copied. */
const SPARE = 16;

/** Descriptors of one thread: those of the runtime for it, its event loop, wake-up, listener, mailbox. */
const PER_THREAD = 16;

/** Descriptors of one connection. */
const PER_CONNECTION = 2;

/** Time in which nothing need move on a new connection, in milliseconds. */
const SILENCE_MS = 250;

/** Lowers a limit of connections to what RLIMIT_NOFILE leaves. */
export function fitConnections(
  most: number,
  threads: number,
  limit: number | null = openFilesLimit(),
): number {
  if (limit === null) return most;
  const left = limit - openFiles() - SPARE - PER_THREAD * threads;
  return Math.max(1, Math.min(most, Math.floor(left / PER_CONNECTION)));
}

/** A connection that may have to go. */
interface Connection {
  /** When it was made, if nothing has moved on it since; else infinity. */
  readonly silentSince: number;
}

/** The oldest connection on which nothing has moved for a while; they are given in their order. */
export function oldestSilent<T extends Connection>(
  connections: Iterable<T>,
  now: number,
): T | undefined {
  for (const connection of connections) {
    if (now - connection.silentSince >= SILENCE_MS) return connection;
  }
  return undefined;
}
