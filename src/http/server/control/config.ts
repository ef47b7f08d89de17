/** What the threads of a server are told: plain data, with every default filled in. @module */

import type { Symlinks } from "../../files/open_root.ts";
import type { SiteOptions } from "../../rules/options.ts";
import type { ContextTable } from "../../../tls/acceptor.ts";
import { FAILURES } from "../../../tls/failure.ts";
import type { Shares } from "../../../threads/fd_mailboxes.ts";
import type { FallbackConfig } from "../proxy/options.ts";
import type { ServerConfig } from "./options.ts";
import type { CacheConfig, Limits } from "./limits.ts";

/** Places of a thread's counters in its `Float64Array`. */
export const Counter = {
  ACCEPTED: 0,
  OPEN: 1,
  REQUESTS: 2,
  BYTES: 3,
  STATUS_2XX: 4,
  STATUS_3XX: 5,
  STATUS_4XX: 6,
  STATUS_5XX: 7,
  CACHE_HITS: 8,
  CACHE_MISSES: 9,
  CACHE_BYTES: 10,
  COLD_READS: 11,
  TIMEOUTS: 12,
  ABORTED: 13,
  TRUNCATED: 14,
  REFUSED: 15,
  SHED: 16,
  LOG_LOST: 17,
  PASSED: 18,
  TLS_HANDSHAKES: 19,
  TLS_RESUMED: 20,
  TLS_KERNEL: 21,
  /** The first of one for each `Failure`. */
  TLS_FAILURES: 22,
} as const;

/** Counters of one thread. */
export const COUNTERS: number = Counter.TLS_FAILURES + FAILURES;

/** What a thread is given. */
export interface JobData {
  readonly root: string;
  readonly symlinks: Symlinks;
  /** Without functions: they cannot go to another thread. */
  readonly settings: SiteOptions;
  /** URL of a module with a hook for headers; `null` where there is none. */
  readonly headers: string | null;
  /** Whether the thread gives up everything but reading below the root. */
  readonly sandbox: boolean;
  readonly limits: Limits;
  readonly cache: CacheConfig;
  /** Whose the rest of the requests are; `null` where nobody's. */
  readonly fallback: FallbackConfig | null;
  /** Format of the log; `null` where there is none. */
  readonly log: "combined" | "json" | null;
  /** Whether the program wants to be told of requests. */
  readonly events: boolean;
  /** Number of the thread. */
  readonly index: number;
  /** Shared: {@linkcode COUNTERS} for each thread. */
  readonly counters: Float64Array;
  /** What the threads hand connections to each other by; `null` for one that is alone. */
  readonly shares: Shares | null;
  /** HTTPS; `null` for HTTP. */
  readonly tls: TlsData | null;
}

/** What a thread needs for HTTPS. */
export interface TlsData {
  readonly table: ContextTable;
  readonly handshakeMs: number;
  /** Value of Strict-Transport-Security; `""` for none. */
  readonly hsts: string;
}

/** Tells threads to choose from other contexts for new connections. */
export interface TlsCommand {
  readonly tls: ContextTable;
}

/** Tells threads to use another context for connections to the fallback. */
export interface FallbackCommand {
  /** `SSL_CTX` */
  readonly fallback: bigint;
}

/** Fills in what the threads of one server differ in, and what they share. */
export function jobData(
  { headers, log, root, sandbox, settings, symlinks }: ServerConfig,
  own: Omit<JobData, "headers" | "log" | "root" | "sandbox" | "settings" | "symlinks">,
): JobData {
  return { headers, log: log?.format ?? null, root, sandbox, settings, symlinks, ...own };
}

/** What threads are told to do. */
export type Command = "reload" | "drain" | TlsCommand | FallbackCommand;

/** What the disk thread is told that is to open nothing, and to read only what it is handed. */
export const SANDBOXED = "sandboxed";

/** Id under which a thread asks, once, that the disk thread be started. */
export const NEEDS_DISK = 0xffff_ffff;

/** Id under which it asks for the thread that reads folders. */
export const NEEDS_LISTINGS = 0xffff_fffe;
