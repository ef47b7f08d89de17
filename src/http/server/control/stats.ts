/** Statistics of a server, summed over its threads. @module */

import { Failure } from "../../../tls/failure.ts";
import { Counter, COUNTERS } from "./config.ts";

/** Statistics of TLS handshakes. */
export interface TlsStats {
  /** Completed handshakes. */
  readonly handshakes: number;
  /** Handshakes that resumed an earlier session. */
  readonly resumed: number;
  /** Connections that the kernel encrypts. */
  readonly kernel: number;
  /** Failed handshakes, by reason. */
  readonly failures: {
    /** No common TLS version. */
    readonly version: number;
    /** No common cipher, group or signature algorithm. */
    readonly cipher: number;
    /** No common application protocol (ALPN); for example, the client offered HTTP/2 only. */
    readonly protocol: number;
    /** The client's certificate is missing or not trusted. */
    readonly clientCertificate: number;
    /** The client sent an alert, usually because it does not trust the server's certificate. */
    readonly alert: number;
    /** The client spoke HTTP without TLS. */
    readonly plainHttp: number;
    /** The handshake took too long. */
    readonly timeout: number;
    /** The client disconnected. */
    readonly gone: number;
    /** Anything else, such as a malformed message. */
    readonly other: number;
  };
}

/** Counts since the server started to listen, and current values. */
export interface FileServerStats {
  /** Accepted connections. */
  readonly accepted: number;
  /** Open connections. */
  readonly open: number;
  /** Responses. */
  readonly requests: number;
  /** Bytes that the kernel has taken, including heads. */
  readonly bytes: number;
  /** Responses by the first digit of their status. */
  readonly statuses: {
    readonly "2xx": number;
    readonly "3xx": number;
    readonly "4xx": number;
    readonly "5xx": number;
  };
  /** Responses from the cache, responses not in the cache, and bytes in the cache. */
  readonly cache: { readonly hits: number; readonly misses: number; readonly bytes: number };
  /** Windows of files that had to be read from the disk. */
  readonly coldReads: number;
  /** Connections closed because the client was too slow. */
  readonly timeouts: number;
  /** Responses cut short by the client or by a timeout. */
  readonly aborted: number;
  /** Responses cut short because the file was truncated. */
  readonly truncated: number;
  /** Connections refused because no descriptor was left. */
  readonly refused: number;
  /** Connections closed to make room: idle ones, and ones without a request. */
  readonly shed: number;
  /** Requests forwarded to your program: see the option `fallback`. */
  readonly passed: number;
  /** Files stored for clients, and bytes received for these and for unfinished ones. */
  readonly uploads: { readonly files: number; readonly bytes: number };
  /** Log lines that could not be written. */
  readonly logLost: number;
  /** HTTPS; `null` for HTTP. */
  readonly tls: TlsStats | null;
  /** Connections and responses of each thread. */
  readonly threads: readonly { readonly open: number; readonly requests: number }[];
}

function tlsStatsOf(sum: (counter: number) => number): TlsStats {
  const failed = (failure: number) => sum(Counter.TLS_FAILURES + failure);
  return {
    handshakes: sum(Counter.TLS_HANDSHAKES),
    resumed: sum(Counter.TLS_RESUMED),
    kernel: sum(Counter.TLS_KERNEL),
    failures: {
      version: failed(Failure.VERSION),
      cipher: failed(Failure.CIPHER),
      protocol: failed(Failure.PROTOCOL),
      clientCertificate: failed(Failure.CLIENT_CERTIFICATE),
      alert: failed(Failure.ALERT),
      plainHttp: failed(Failure.PLAIN_HTTP),
      timeout: failed(Failure.TIMEOUT),
      gone: failed(Failure.GONE),
      other: failed(Failure.OTHER),
    },
  };
}

/** Sums the counters of all threads. */
export function statsOf(counters: Float64Array, secure = false): FileServerStats {
  const sum = (counter: number) => {
    let total = 0;
    for (let at = counter; at < counters.length; at += COUNTERS) total += counters[at]!;
    return total;
  };
  return {
    accepted: sum(Counter.ACCEPTED),
    open: sum(Counter.OPEN),
    requests: sum(Counter.REQUESTS),
    bytes: sum(Counter.BYTES),
    statuses: {
      "2xx": sum(Counter.STATUS_2XX),
      "3xx": sum(Counter.STATUS_3XX),
      "4xx": sum(Counter.STATUS_4XX),
      "5xx": sum(Counter.STATUS_5XX),
    },
    cache: {
      hits: sum(Counter.CACHE_HITS),
      misses: sum(Counter.CACHE_MISSES),
      bytes: sum(Counter.CACHE_BYTES),
    },
    coldReads: sum(Counter.COLD_READS),
    timeouts: sum(Counter.TIMEOUTS),
    aborted: sum(Counter.ABORTED),
    truncated: sum(Counter.TRUNCATED),
    refused: sum(Counter.REFUSED),
    shed: sum(Counter.SHED),
    passed: sum(Counter.PASSED),
    uploads: { files: sum(Counter.UPLOADS), bytes: sum(Counter.RECEIVED) },
    logLost: sum(Counter.LOG_LOST),
    tls: secure ? tlsStatsOf(sum) : null,
    threads: Array.from({ length: counters.length / COUNTERS }, (_, thread) => ({
      open: counters[thread * COUNTERS + Counter.OPEN]!,
      requests: counters[thread * COUNTERS + Counter.REQUESTS]!,
    })),
  };
}
