/** The configuration of the threads of a server: plain data, with all defaults set. @module */

import type { ContextTable } from "../../../tls/acceptor.ts";
import { FAILURES } from "../../../tls/failure.ts";
import type { Shares } from "../../../threads/fd_mailboxes.ts";
import type { AuthConfig } from "../auth/options.ts";
import type { FallbackConfig } from "../proxy/options.ts";
import type { ServerConfig } from "./options.ts";
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

/** Tells threads that a thread for the files of other machines was started. */
export interface RemoteCommand {
  readonly slot: number;
  /** A socket to it for each thread that serves; none where there is no descriptor for it. */
  readonly remote: readonly number[];
}

/** Commands for the threads. */
export type Command = "reload" | "drain" | TlsCommand | FallbackCommand | RemoteCommand;

/** Data of a sandboxed disk thread: it opens no files and reads only descriptors that it gets. */
export const SANDBOXED = "sandboxed";

/** ID under which a thread asks, once, for the start of the disk thread. */
export const NEEDS_DISK = 0xffff_ffff;

/** ID under which a thread asks for the start of the listing thread. */
export const NEEDS_LISTINGS = 0xffff_fffe;

/** Id under which it asks for a thread for files of other machines; the result is the slot. */
export const NEEDS_REMOTE = 0xffff_fffd;

/** ID under which it asks, once, for the start of the thread that stores uploads. */
export const NEEDS_UPLOADS = 0xffff_fffc;

/** ID under which it asks, once, for the start of the thread of archives. */
export const NEEDS_ARCHIVES = 0xffff_fffb;
