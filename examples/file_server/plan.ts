/**
 * What HTTP says about a request for a file: RFC 9110, sections 13 and 14. Pure, so that both
 * front ends share it and every rule can be tested without a socket.
 *
 * @module
 */

/** A request, whoever parsed it. */
export interface Request {
  readonly method: string;
  /** The request target as it was sent, such as `/a%20b?c`. */
  readonly target: string;
  /** Value of a header by its name in lower case; several of one name are joined by commas. */
  header(name: string): string | undefined;
}

/** What a file says of itself. */
export interface FileFacts {
  /** Bytes. */
  readonly size: number;
  /** Last modification, in nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
}

/** The answer to a request for a file. */
export interface Plan {
  readonly status: 200 | 206 | 304 | 412 | 416;
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes of the file that are the body. */
  readonly part: { readonly start: number; readonly length: number };
}

type Range = { readonly start: number; readonly length: number };

const NOTHING: Range = { start: 0, length: 0 };

/** Decides which part of a file a GET or HEAD request gets, and under which headers. */
export function plan(request: Request, file: FileFacts): Plan {
  const { size } = file;
  // Strong: a file whose bytes change has another time in nanoseconds. nginx's shape.
  const tag = `"${file.mtimeNs.toString(16)}-${size.toString(16)}"`;
  const seconds = Number(file.mtimeNs / 1_000_000_000n);
  const modified = new Date(seconds * 1000).toUTCString();
  // "no-cache" lets browsers keep a copy, and has them ask whether it is still good.
  const headers = { "ETag": tag, "Last-Modified": modified, "Cache-Control": "no-cache" };

  const failed = precondition(request, tag, seconds);
  if (failed === 304) return { status: 304, headers, part: NOTHING };
  if (failed === 412) {
    return { status: 412, headers: { ...headers, "Content-Length": "0" }, part: NOTHING };
  }

  const ranges = { ...headers, "Accept-Ranges": "bytes" };
  const part = wantsRange(request, tag, modified)
    ? parseRange(request.header("range")!, size)
    : null;
  if (part === null) {
    const whole = { start: 0, length: size };
    return { status: 200, headers: { ...ranges, "Content-Length": String(size) }, part: whole };
  }
  if (part === NOTHING) {
    const unsatisfied = { "Content-Range": `bytes */${size}`, "Content-Length": "0" };
    return { status: 416, headers: { ...ranges, ...unsatisfied }, part };
  }
  return {
    status: 206,
    headers: {
      ...ranges,
      "Content-Range": `bytes ${part.start}-${part.start + part.length - 1}/${size}`,
      "Content-Length": String(part.length),
    },
    part,
  };
}

/** In the order of RFC 9110, 13.2.2; each pair of headers counts only without the one before. */
function precondition(request: Request, tag: string, seconds: number): 304 | 412 | undefined {
  const match = request.header("if-match");
  const noneMatch = request.header("if-none-match");
  if (match !== undefined) {
    if (!listed(match, tag)) return 412;
  } else if (seconds > time(request.header("if-unmodified-since"))) {
    return 412;
  }
  if (noneMatch !== undefined) return listed(noneMatch.replaceAll("W/", ""), tag) ? 304 : undefined;
  return seconds <= time(request.header("if-modified-since")) ? 304 : undefined;
}

/** Whether a list of entity tags has this one. */
function listed(list: string, tag: string): boolean {
  return list.trim() === "*" || list.split(",").some((item) => item.trim() === tag);
}

/** Seconds since the epoch; NaN, which compares as false, for what is not a date. */
function time(date: string | undefined): number {
  return date === undefined ? NaN : Date.parse(date) / 1000;
}

/** RFC 9110, 14.2: for GET only, and not when If-Range names another version of the file. */
function wantsRange(request: Request, tag: string, modified: string): boolean {
  if (request.method !== "GET" || request.header("range") === undefined) return false;
  const condition = request.header("if-range")?.trim();
  return condition === undefined || condition === tag || condition === modified;
}

/**
 * One range, as digits of any length. `null` where the header is to be ignored: not understood,
 * several ranges, or an empty file. {@linkcode NOTHING} where it names no byte of the file.
 */
function parseRange(value: string, size: number): Range | null {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(value.trim());
  if (match === null || size === 0) return null;
  const [, first = "", last = ""] = match;
  if (first === "") {
    if (last === "") return null;
    const length = Math.min(Number(last), size);
    return length === 0 ? NOTHING : { start: size - length, length };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return null;
  if (start >= size) return NOTHING;
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return { start, length: end - start + 1 };
}
