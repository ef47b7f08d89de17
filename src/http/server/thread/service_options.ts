/** Parts of one serving thread. @module */

import type { Loop } from "../../../threads/loop/loop.ts";
import type { CacheConfig, Limits } from "../control/limits.ts";
import type { Guard } from "../auth/guard.ts";
import type { PrefetchClient } from "./prefetch_client.ts";
import type { FallbackConfig } from "../proxy/options.ts";
import type { TlsDialer } from "../../../tls/client/dialer.ts";
import type { AccessLog } from "./access_log.ts";
import type { RemoteFiles } from "../remote/remote_files.ts";
import type { ServiceTls } from "../connection/contracts.ts";
import type { Uploads } from "../upload/uploads.ts";
import type { Sites } from "../sites/sites.ts";

/** Parts and callbacks of a service. */
export interface ServiceOptions {
  readonly loop: Loop;
  readonly disk: PrefetchClient;
  readonly site: Sites;
  /** Files of other machines and processes. */
  readonly remote: RemoteFiles;
  readonly accessLog: AccessLog | null;
  readonly limits: Limits;
  readonly cache: CacheConfig;
  readonly fallback: FallbackConfig | null;
  /** Speaks TLS with the program of the fallback; `null` where that needs none. */
  readonly dialer: TlsDialer | null;
  readonly tls: ServiceTls | null;
  /** Checks passwords; `null` without users. */
  readonly guard: Guard | null;
  /** Stores uploads; `null` without them. */
  readonly uploads: Uploads | null;
  /** This thread's counters; see `Counter`. */
  readonly counters: Float64Array;
  /** Called when a connection has closed. */
  closed(): void;
  /** Called when the last connection has closed, and no more will come. */
  drained(): void;
}
