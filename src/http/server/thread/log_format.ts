/** Lines of the access log. @module */

/** What is told of a request. */
export interface RequestEvent {
  /** Number of the request within its thread. */
  readonly id: number;
  /** When it arrived, in milliseconds since the epoch. */
  readonly time: number;
  /** Address of the client; `"unix"` for a Unix socket. */
  readonly client: string;
  /** Method, as it was sent; empty for what was no request. */
  readonly method: string;
  /** The target as it was sent. */
  readonly target: string;
  /** 0 or 1, of HTTP/1.x. */
  readonly minor: number;
  /** Status of the answer. */
  readonly status: number;
  /** Bytes of the body that the kernel has taken. */
  readonly bytes: number;
  /** Bytes that the body has. */
  readonly total: number;
  /** From the request to the last byte, in milliseconds. */
  readonly durationMs: number;
  /**
   * What moved the body: `"sendfile"` is sendfile(2), also where kernel TLS encrypts; `"ssl-write"` is a
   * file that was read and encrypted by OpenSSL, where the kernel does not; `"memory"` is send(2) of what is kept, or of text; `"copy"` the runtime,
   * where no system call can be made; `"relay"` is an answer of the program behind `fallback`.
   */
  readonly transfer: "memory" | "sendfile" | "ssl-write" | "relay" | "copy";
  /** Value of Referer, or empty. */
  readonly referer: string;
  /** Value of User-Agent, or empty. */
  readonly userAgent: string;
  /**
   * Why the answer is 500: what a hook has thrown, or a system call. Or why the program behind `fallback`
   * has not answered, or not to the end.
   */
  readonly error?: string | undefined;
  /** `"running"` is told of large bodies only, about ten times a second. */
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

/** C1 controls, which a terminal obeys as it obeys ESC, and line ends of JavaScript. */
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

/** A line of JSON; control characters in it are escaped, those of ISO 6429 (C1) too. */
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
