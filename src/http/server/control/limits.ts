/** Limits and timeouts of a server. @module */

import { wholeNumber } from "../../../options.ts";

/** Limits and timeouts of a server. Times are in milliseconds. */
export interface ServerLimits {
  /**
   * Maximum connections per thread, further limited by RLIMIT_NOFILE. One more replaces a
   * connection that waits for its next request, or the one that has been silent longest. If all are
   * busy, it waits in the kernel's queue.
   *
   * @default {10000}
   */
  maxConnections?: number | undefined;
  /** Maximum length of the target in bytes; a longer one gets 414. @default {8192} */
  maxTargetBytes?: number | undefined;
  /** Maximum length of a request head in bytes; a longer one gets 431. @default {16384} */
  maxHeadBytes?: number | undefined;
  /** Maximum number of header fields; more get 431. @default {100} */
  maxFields?: number | undefined;
  /** Time for the whole head of a request, from its first byte. @default {30000} */
  headMs?: number | undefined;
  /** Time between two requests on a connection. @default {65000} */
  idleMs?: number | undefined;
  /** Time without any acknowledgement from the client. @default {60000} */
  sendMs?: number | undefined;
  /** Minimum rate of a download in bytes per second, over `sendMs`; 0 for none. @default {240} */
  minRate?: number | undefined;
  /**
   * Time in which a file system must answer, to open a file, to read a folder or the next part of a
   * file. Then the client gets 503, or the answer is cut short. NFS, SMB and FUSE may take that long,
   * or for ever; they hold up no requests for other files. @default {30000}
   */
  fileMs?: number | undefined;
  /**
   * Maximum rate of each connection in bytes per second; 0 for none, otherwise at least 4096 and
   * more than `minRate`. The kernel spaces the segments out (SO_MAX_PACING_RATE, Linux 4.13). Has
   * no effect on Unix sockets; not available without foreign calls. nginx calls it `limit_rate`.
   *
   * @default {0}
   */
  maxRate?: number | undefined;
  /**
   * Bytes of each response that leave before `maxRate` applies, give or take one step of the server:
   * at most 1 MiB. A player fills its buffer by them. nginx calls it `limit_rate_after`.
   *
   * @default {0}
   */
  maxRateAfter?: number | undefined;
  /**
   * Maximum length in bytes of a request body that is forwarded to the fallback; a longer one gets
   * 413. 0 for none. A chunked body counts with its chunk headers.
   *
   * @default {0}
   */
  maxBodyBytes?: number | undefined;
  /**
   * Maximum number of requests on one connection, which the server closes after them; 0 for any
   * number, 1 to close after each response.
   *
   * @default {0}
   */
  maxRequests?: number | undefined;
}

/** Cache of each thread. */
export interface CacheOptions {
  /** Maximum bytes of files in memory. @default {32 MiB} */
  maxBytes?: number | undefined;
  /**
   * Largest file in memory, in bytes, at most 1 MiB. Larger files leave by sendfile(2), which costs
   * less CPU time from about 64 KiB.
   *
   * @default {32 KiB}
   */
  maxFileBytes?: number | undefined;
  /** Maximum number of files cached, in memory or open. @default {512} */
  maxFiles?: number | undefined;
  /**
   * For how long a path may be assumed to lead to the same file, in milliseconds, at most 60000; 0
   * looks up the path for each response. The file itself is always checked, so written, replaced or
   * removed files show at once. This option concerns changed links and folders on the way, and new
   * files that take precedence.
   *
   * @default {1000}
   */
  validMs?: number | undefined;
}

const ACTION = "serve files";
const MIB = 1024 * 1024;

/** Maximum of the kernel's option, and minimum for the timeouts of slow readers to work. */
const MOST_RATE = 0x7fff_ffff;
const LEAST_RATE = 4096;

/** A day: longer times are mistakes. */
const MOST_MS = 86_400_000;

/** Checks limits and fills in all defaults. */
export function limitsOf(limits: ServerLimits): Limits {
  const minRate = between(limits.minRate ?? 240, "minRate", 0, Number.MAX_SAFE_INTEGER);
  return {
    minRate,
    ...rateOf(limits, { minRate, maxRate: 0, maxRateAfter: 0 }),
    maxConnections: between(limits.maxConnections ?? 10_000, "maxConnections", 1, 1_000_000),
    maxTargetBytes: between(limits.maxTargetBytes ?? 8192, "maxTargetBytes", 16, MIB),
    maxHeadBytes: between(limits.maxHeadBytes ?? 16_384, "maxHeadBytes", 256, MIB),
    maxFields: between(limits.maxFields ?? 100, "maxFields", 1, 10_000),
    headMs: between(limits.headMs ?? 30_000, "headMs", 1, MOST_MS),
    idleMs: between(limits.idleMs ?? 65_000, "idleMs", 1, MOST_MS),
    sendMs: between(limits.sendMs ?? 60_000, "sendMs", 1, MOST_MS),
    fileMs: between(limits.fileMs ?? 30_000, "fileMs", 1, MOST_MS),
    maxBodyBytes: between(limits.maxBodyBytes ?? 0, "maxBodyBytes", 0, Number.MAX_SAFE_INTEGER),
    maxRequests: between(limits.maxRequests ?? 0, "maxRequests", 0, Number.MAX_SAFE_INTEGER),
  };
}

/** Maximum rate of the responses from one folder. */
export type Rate = Pick<Limits, "maxRate" | "maxRateAfter">;

/** Checks a maximum rate, and fills in what is missing. */
export function rateOf(
  options: Pick<ServerLimits, "maxRate" | "maxRateAfter">,
  usual: Rate & Pick<Limits, "minRate">,
): Rate {
  const { maxRate: rate = usual.maxRate, maxRateAfter: after = usual.maxRateAfter } = options;
  const { minRate } = usual;
  const maxRate = between(rate, "maxRate", 0, MOST_RATE);
  if (maxRate > 0 && maxRate <= Math.max(LEAST_RATE - 1, minRate)) {
    throw new RangeError(
      `Cannot ${ACTION}: maxRate is ${maxRate}, but must be 0, or at least ${LEAST_RATE} and more ` +
        `than minRate (${minRate})`,
    );
  }
  return { maxRate, maxRateAfter: between(after, "maxRateAfter", 0, Number.MAX_SAFE_INTEGER) };
}

/** Checks cache options and fills in all defaults. */
export function cacheOf(cache: CacheOptions | false): CacheConfig {
  if (cache === false) return { maxBytes: 0, maxFileBytes: 0, maxFiles: 0, validMs: 0 };
  return {
    maxBytes: between(cache.maxBytes ?? 32 * MIB, "maxBytes", 0, Number.MAX_SAFE_INTEGER),
    maxFileBytes: between(cache.maxFileBytes ?? 32 * 1024, "maxFileBytes", 0, MIB),
    maxFiles: between(cache.maxFiles ?? 512, "maxFiles", 0, 1_000_000),
    validMs: between(cache.validMs ?? 1000, "validMs", 0, 60_000),
  };
}

/** Checks that a whole number is in range. */
export function between(value: number, name: string, least: number, most: number): number {
  wholeNumber(value, name, ACTION);
  if (value >= least && value <= most) return value;
  throw new RangeError(`Cannot ${ACTION}: ${name} is ${value}, but must be in ${least}..${most}`);
}

/** Checked {@linkcode CacheOptions}. */
export interface CacheConfig {
  /** Maximum bytes of files in memory. */
  readonly maxBytes: number;
  /** Largest file in memory, in bytes. */
  readonly maxFileBytes: number;
  /** Maximum number of files cached, open or in memory. */
  readonly maxFiles: number;
  /** For how long a path may be assumed to lead to the same file, in milliseconds. */
  readonly validMs: number;
}

/** Checked limits: see `ServerLimits` for their meaning. */
export interface Limits {
  readonly maxConnections: number;
  readonly maxTargetBytes: number;
  readonly maxHeadBytes: number;
  readonly maxFields: number;
  readonly headMs: number;
  readonly idleMs: number;
  readonly sendMs: number;
  readonly minRate: number;
  readonly fileMs: number;
  readonly maxRate: number;
  readonly maxRateAfter: number;
  readonly maxBodyBytes: number;
  readonly maxRequests: number;
}
