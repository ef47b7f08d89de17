/** Checks and completes the options of a relay. @module */

import { requireRuntime } from "../../../sys/libc.ts";
import { checkFunction, checkObject, wholeNumber } from "../../../options.ts";
import { type Endpoint, parseEndpoint } from "../endpoint.ts";

/** Options of {@linkcode createRelay}. */
export interface RelayServerOptions {
  /**
   * Address to listen on: `"host:port"`, `"[::1]:port"`, `":port"` or a number (on 127.0.0.1),
   * `"unix:/path"`, or an equivalent object. Port 0 chooses one.
   */
  readonly listen: string | number | Endpoint;
  /**
   * Address to connect to for each connection, in the format of {@linkcode listen}. `listen()`
   * resolves a name once; each connection tries all of its addresses (RFC 8305). An IPv6 address
   * may have a zone: `"[fe80::1%eth0]:80"`.
   */
  readonly upstream: string | number | Endpoint;
  /**
   * Number of relaying threads, 1..64. One moves several GB/s. A new connection goes to the least
   * loaded one.
   *
   * @default {1}
   */
  readonly threads?: number | undefined;
  /**
   * Milliseconds without a byte in either direction after which a connection is closed; 0 for
   * never.
   *
   * @default {600000}
   */
  readonly idleTimeoutMs?: number | undefined;
  /**
   * Time for connecting to the upstream in milliseconds, from 1.
   *
   * @default {10000}
   */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Maximum connections at a time, from 1; others wait in the kernel's queue. Each takes two
   * descriptors, and two or four more while its receiver is slow.
   *
   * No more than RLIMIT_NOFILE has room for. Where that is the limit, a further connection takes the place
   * of the oldest one on which nothing has moved, once that is a quarter of a second old.
   *
   * @default {16384}
   */
  readonly maxConnections?: number | undefined;
  /** File to start as a Worker instead of sluice's own: see the README on bundles. */
  readonly workerUrl?: URL | string | undefined;
  /**
   * Called once if a thread has failed and the relay is unusable. Without it, the error is thrown
   * as an uncaught exception.
   */
  readonly onError?: ((error: Error) => void) | undefined;
}

/** Options with all defaults filled in. */
export interface CheckedOptions {
  readonly listen: Endpoint;
  readonly upstream: Endpoint;
  readonly threads: number;
  readonly idleMs: number;
  readonly connectMs: number;
  readonly maxConnections: number;
  readonly workerUrl: URL | string | undefined;
  readonly onError: ((error: Error) => void) | undefined;
}

const MOST_THREADS = 64;
const ACTION = "make a relay";

/** Checks options and fills in all defaults. */
export function checkOptions(options: RelayServerOptions): CheckedOptions {
  requireRuntime(ACTION);
  checkObject(options, ACTION);
  const { connectTimeoutMs = 10_000, idleTimeoutMs = 600_000, listen, onError, upstream } = options;
  const { maxConnections = 16_384, threads = 1, workerUrl } = options;
  checkFunction(onError, "onError", ACTION);
  const checked = {
    listen: parseEndpoint(withPort(listen), "address to listen on"),
    upstream: parseEndpoint(withPort(upstream), "upstream"),
    threads: between(threads, "threads", 1, MOST_THREADS),
    idleMs: between(idleTimeoutMs, "idleTimeoutMs", 0, 2 ** 31 - 1),
    connectMs: between(connectTimeoutMs, "connectTimeoutMs", 1, 2 ** 31 - 1),
    maxConnections: between(maxConnections, "maxConnections", 1, 2 ** 31 - 1),
    workerUrl,
    onError,
  };
  if ("port" in checked.upstream && checked.upstream.port === 0) {
    throw new RangeError("Cannot use port 0 as the upstream: expected an integer in 1..65535");
  }
  return checked;
}

function withPort(value: string | number | Endpoint): string | Endpoint {
  return typeof value === "number" ? { port: value } : value;
}

function between(value: number, name: string, low: number, high: number): number {
  wholeNumber(value, name, ACTION);
  if (value >= low && value <= high) return value;
  throw new RangeError(`Cannot ${ACTION}: ${name} is ${value}, but must be in ${low}..${high}`);
}
