/** Formats lines of the access log. @module */

/** One request, as reported to the log and to `onRequest`. */
export interface RequestEvent {
  /** Number of the request within its thread. */
  readonly id: number;
  /** Arrival time, in milliseconds since the epoch. */
  readonly time: number;
  /** Address of the client; `"unix"` for a Unix socket. */
  readonly client: string;
  /** Method as sent; empty if the bytes were not a request. */
  readonly method: string;
  /** Target as sent. */
  readonly target: string;
  /** Minor version, 0 or 1, of HTTP/1.x. */
  readonly minor: number;
  /** Status of the response. */
  readonly status: number;
  /** Bytes of the body that the kernel has taken. */
  readonly bytes: number;
  /** Total length of the body in bytes. */
  readonly total: number;
  /** Bytes of the file that the client has uploaded; absent for other requests. */
  readonly received?: number | undefined;
  /** Time from the request to the last byte, in milliseconds. */
  readonly durationMs: number;
  /**
   * How the body was sent: `"sendfile"` by sendfile(2), also if kernel TLS encrypts; `"ssl-write"` a
   * file that OpenSSL encrypts, because the kernel does not; `"memory"` by send(2) from the cache, or
   * text; `"copy"` by the runtime, without foreign calls; `"relay"` from the program behind `fallback`.
   */
  readonly transfer: "memory" | "sendfile" | "ssl-write" | "relay" | "copy";
  /** Value of Referer, or empty. */
  readonly referer: string;
  /** Value of User-Agent, or empty. */
  readonly userAgent: string;
  /**
   * Reason of a 500 response: an error of the headers hook, or of a system call. Or why the program
   * behind `fallback` has not responded, or not to the end.
   */
  readonly error?: string | undefined;
  /** `"running"` is reported for large bodies only, about ten times a second. */
  readonly state: "running" | "done" | "aborted";
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// deno-lint-ignore no-control-regex -- a line of the log is one line, whatever clients send
const UNSAFE = /[\x00-\x1f\x7f-\xff"\\]/g;

/** The Combined Log Format of Apache and nginx; times are UTC. */
export function formatCombined(event: RequestEvent): string {
  const { bytes, client, method, minor, referer, status, target, userAgent } = event;
  const request = method === "" ? "-" : `${method} ${target} HTTP/1.${minor}`;
  return `${client || "-"} - - [${formatDate(event.time)}] "${
    quoted(request)
  }" ${status} ${bytes} ` +
    `"${quoted(referer) || "-"}" "${quoted(userAgent) || "-"}"\n`;
}

/** C1 controls, which terminals obey like ESC, and line terminators of JavaScript. */
const CONTROLS = /[\x7f-\x9f\u2028\u2029]/g;

/** One JSON object. */
export function formatEvent(event: RequestEvent): string {
  const { durationMs, time, ...rest } = event;
  return formatJson({
    time: new Date(time).toISOString(),
    ...rest,
    durationMs: Math.round(durationMs * 1000) / 1000,
  });
}

/** Formats a line of JSON; escapes control characters, including those of ISO 6429 (C1). */
export function formatJson(value: object): string {
  const text = JSON.stringify(value).replace(
    CONTROLS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `${text}\n`;
}

function quoted(text: string): string {
  return text.replace(
    UNSAFE,
    (character) => `\\x${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

function formatDate(ms: number): string {
  const date = new Date(ms);
  const day = String(date.getUTCDate()).padStart(2, "0");
  const month = MONTHS[date.getUTCMonth()];
  return `${day}/${month}/${date.getUTCFullYear()}:${date.toISOString().slice(11, 19)} +0000`;
}
