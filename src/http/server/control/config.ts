/** The configuration of the threads of a server: plain data, with all defaults set. @module */

import type { ContextTable } from "../../../tls/acceptor.ts";
import { FAILURES } from "../../../tls/failure.ts";
import type { Shares } from "../../../threads/fd_mailboxes.ts";
import type { AuthConfig } from "../auth/options.ts";
import type { FallbackConfig } from "../proxy/options.ts";
import type { ServerConfig } from "./options.ts";
import { SLOTS } from "../remote/slots.ts";
import type { SiteConfig } from "../sites/options.ts";
import type { CacheConfig, Limits } from "./limits.ts";

/** Indexes of a thread's counters in its `Float64Array`. */
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
  RECEIVED: 22,
  UPLOADS: 23,
  /** First of the counters for each `Failure`. */
  TLS_FAILURES: 24,
} as const;

/** Number of counters per thread. */
export const COUNTERS: number = Counter.TLS_FAILURES + FAILURES;

/** Data of a thread. */
export interface JobData {
  readonly sites: readonly SiteConfig[];
  /** Users; `null` if everybody may ask. */
  readonly auth: AuthConfig | null;
  /** Whether the thread restricts itself to reading below its folders. */
  readonly sandbox: boolean;
  readonly limits: Limits;
  readonly cache: CacheConfig;
  /** Server for all other requests; `null` without one. */
  readonly fallback: FallbackConfig | null;
  /** Format of the access log; `null` without one. */
  readonly log: "combined" | "json" | null;
  /** Whether to report requests to the program. */
  readonly events: boolean;
  /** Most requests per second that the thread reports. */
  readonly eventsPerSecond: number;
  /** Index of the thread. */
  readonly index: number;
  /** Shared: {@linkcode COUNTERS} numbers for each thread. */
  readonly counters: Float64Array;
  /** Mailboxes through which threads pass connections; `null` for a single thread. */
  readonly shares: Shares | null;
  /** HTTPS; `null` for HTTP. */
  readonly tls: TlsData | null;
  /** Path of the OpenSSL that has made the contexts; `undefined` without any. */
  readonly libssl: string | null | undefined;
  /** Shared memory by which the threads choose the threads that wait for other machines. */
  readonly slots: Int32Array;
}

/** The settings of a thread for HTTPS. */
export interface TlsData {
  readonly table: ContextTable;
  readonly handshakeMs: number;
  /** Whether the kernel may encrypt. */
  readonly kernel: boolean;
  /** Value of Strict-Transport-Security; `""` for none. */
  readonly hsts: string;
}

/** Tells threads to use other contexts for new connections. */
export interface TlsCommand {
  readonly tls: ContextTable;
}

/** Tells threads to use another context for connections to the fallback. */
export interface FallbackCommand {
  /** `SSL_CTX` */
  readonly fallback: bigint;
}

/** What the threads get from the configuration as it is. */
type Shared =
  | "auth"
  | "eventsPerSecond"
  | "log"
  | "sandbox"
  | "sites";

/** Combines what the threads of a server share with what differs between them. */
export function jobData(
  config: ServerConfig,
  own: Omit<JobData, Shared>,
): JobData {
  const { auth, eventsPerSecond, log, sandbox, sites } = config;
  const shared = { auth, eventsPerSecond, sandbox, sites };
  return { ...shared, log: log?.format ?? null, ...own };
}

/** Background threads of a server; the ones before these wait for other machines: see slots.ts. */
export const Background: Readonly<Record<"DISK" | "LISTINGS" | "UPLOADS" | "ARCHIVES", number>> = {
  /** Reads from the disk into the page cache. */
  DISK: SLOTS,
  LISTINGS: SLOTS + 1,
  UPLOADS: SLOTS + 2,
  ARCHIVES: SLOTS + 3,
};

/** Tells threads that a background thread was started. */
export interface BackgroundCommand {
  readonly thread: number;
  /** A socket to it for each thread that serves; none if it could not be started. */
  readonly fds: readonly number[];
}

/** Commands for the threads. */
export type Command = "reload" | "drain" | TlsCommand | FallbackCommand | BackgroundCommand;

/** Data of a sandboxed disk thread: it opens no files and reads only descriptors that it gets. */
export const SANDBOXED = "sandboxed";

/** ID under which a thread asks for the start of a {@linkcode Background}, which is the result. */
export const NEEDS_BACKGROUND = 0xffff_ffff;
