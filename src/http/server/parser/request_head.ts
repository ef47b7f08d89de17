/** Parses the head of an HTTP/1.1 request strictly, without the leniences of RFC 9112. @module */

import { HeaderFields } from "./header_fields.ts";
import { judge } from "./message_rules.ts";
import { Method, readRequestLine } from "./request_line.ts";
import { CR, INCOMPLETE, latin1, LF } from "./syntax.ts";

/** Limits on the size of a head. */
export interface HeadLimits {
  /** Maximum length of the target in bytes. */
  readonly maxTargetBytes: number;
  /** Maximum length of the whole head in bytes. */
  readonly maxHeadBytes: number;
  /** Maximum number of header fields. */
  readonly maxFields: number;
}

/**
 * The head of one request, as positions in the buffer that it was parsed from; valid until the
 * buffer changes. One object serves a whole thread. It allocates only the strings that you ask for.
 */
export class RequestHead extends HeaderFields {
  /** First byte of the method. */
  start = 0;
  /** First byte after the head and its empty line. */
  end = 0;
  /** One of {@linkcode Method}. */
  method = 0;
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  /** End of the target's path, which is the part before `?`. */
  pathEnd = 0;
  /** Hash of the path's bytes. */
  pathHash = 0;
  /** Minor version, 0 or 1, of HTTP/1.x. */
  minor = 1;
  /** Whether the client wants to keep the connection. */
  keepAlive = true;
  /** Length of the body in bytes, or {@linkcode CHUNKED}. */
  bodyLength = 0;
  readonly #limits: HeadLimits;

  /** Prepares to parse. */
  constructor(limits: HeadLimits) {
    super(limits.maxFields);
    this.#limits = limits;
  }

  /**
   * Parses the bytes between `start` and `end`.
   *
   * @returns Where the head ends; {@linkcode INCOMPLETE}; or the negated status of the error
   * response.
   */
  parse(bytes: Uint8Array, start: number, end: number): number {
    this.bytes = bytes;
    let at = start;
    // RFC 9112, 2.2: ignore one empty line before a request.
    if (at < end && bytes[at] === CR) {
      if (at + 1 === end) return INCOMPLETE;
      if (bytes[at + 1] !== LF) return -400;
      at += 2;
    }
    this.start = at;
    const line = readRequestLine(this, at, end, this.#limits.maxTargetBytes);
    if (line <= 0) return line === INCOMPLETE ? this.#unfinished(start, end) : line;
    const result = this.readFields(line, end);
    if (result === INCOMPLETE) return this.#unfinished(start, end);
    if (result < 0) return result;
    if (result - start > this.#limits.maxHeadBytes) return -431;
    this.end = result;
    return judge(this) || result;
  }

  /** The same head in memory of its own. */
  copy(): RequestHead {
    const head = new RequestHead(this.#limits);
    const bytes = this.bytes.slice(this.start, this.end);
    head.parse(bytes, 0, bytes.length);
    return head;
  }

  /** Discards the last head, whose fields are not reliable; `method`, if known, decides about a body. */
  forget(method: number = Method.OTHER): void {
    this.start =
      this.methodEnd =
      this.targetStart =
      this.pathEnd =
      this.targetEnd =
      this.end =
        0;
    this.method = method === Method.HEAD ? Method.HEAD : Method.OTHER;
    this.minor = 1;
    this.count = this.known = this.twice = 0;
  }

  #unfinished(start: number, end: number): number {
    return end - start > this.#limits.maxHeadBytes ? -431 : INCOMPLETE;
  }

  /** The target as it was sent. */
  get target(): string {
    return latin1(this.bytes, this.targetStart, this.targetEnd);
  }

  /** The method as it was sent. */
  get methodName(): string {
    return latin1(this.bytes, this.start, this.methodEnd);
  }
}
