/** What a server has done, added up over its threads. @module */

import { Failure } from "../../../tls/failure.ts";
import { Counter, COUNTERS } from "./config.ts";

/** What has happened to TLS handshakes. */
export interface TlsStats {
  /** Handshakes that were done. */
  readonly handshakes: number;
  /** Those among them that resumed an earlier session. */
  readonly resumed: number;
  /** Connections that the kernel encrypts. */
  readonly kernel: number;
  /** Handshakes that failed, by the reason. */
  readonly failures: {
    /** No version of TLS in common. */
    readonly version: number;
    /** No cipher, group or signature algorithm in common. */
    readonly cipher: number;
    /** No application protocol in common (ALPN): the client offered HTTP/2 only, for example. */
    readonly protocol: number;
    /** The client's certificate is missing or not trusted. */
    readonly clientCertificate: number;
    /** The client sent an alert: most often it does not trust the server's certificate. */
    readonly alert: number;
    /** The client spoke HTTP without TLS. */
    readonly plainHttp: number;
    /** The handshake took too long. */
    readonly timeout: number;
    /** The client went away. */
    readonly gone: number;
    /** Anything else, such as a malformed message. */
    readonly other: number;
  };
}

/** Counts since the server began to listen, and what there is at the moment. */
export interface FileServerStats {
  /** Connections that were accepted. */
  readonly accepted: number;
  /** Connections that are open. */
  readonly open: number;
  /** Answers. */
  readonly requests: number;
  /** Bytes that the kernel has taken, heads included. */
  readonly bytes: number;
  /** Answers by the first digit of their status. */
  readonly statuses: {
    readonly "2xx": number;
    readonly "3xx": number;
    readonly "4xx": number;
    readonly "5xx": number;
  };
  /** How often an answer was kept, and how often it had to be made; bytes that are kept. */
  readonly cache: { readonly hits: number; readonly misses: number; readonly bytes: number };
  /** Windows of files that had to come from the disk. */
  readonly coldReads: number;
  /** Connections that were ended because the client was too slow. */
  readonly timeouts: number;
  /** Answers that were cut short, by the client or by a time limit. */
  readonly aborted: number;
  /** Answers that were cut short because the file had been truncated. */
  readonly truncated: number;
  /** Connections that were refused because no descriptor was left. */
  readonly refused: number;
  /** Connections that were closed to make room: idle ones, and those that had never asked. */
  readonly shed: number;
  /** Requests that were passed on to the program: see the option `fallback`. */
  readonly passed: number;
  /** Lines of the log that could not be written. */
  readonly logLost: number;
  /** HTTPS; `null` for HTTP. */
  readonly tls: TlsStats | null;
  /** How connections and answers are spread over the threads. */
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

/** Adds the counters of all threads up. */
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
    logLost: sum(Counter.LOG_LOST),
    tls: secure ? tlsStatsOf(sum) : null,
    threads: Array.from({ length: counters.length / COUNTERS }, (_, thread) => ({
      open: counters[thread * COUNTERS + Counter.OPEN]!,
      requests: counters[thread * COUNTERS + Counter.REQUESTS]!,
    })),
  };
}
