/** What a plan is made from, and what it says. @module */

/** A request, whoever parsed it. */
export interface PlanRequest {
  /** Method, in upper case as it was sent. */
  readonly method: string;
  /**
   * Value of a header by its name in lower case; `undefined` or `null` where there is none. Several
   * fields of one name are joined by commas.
   */
  header(name: string): string | null | undefined;
}

/** Content codings of the sidecars that can be sent in place of a file (RFC 9110, 8.4.1). */
export type Coding = "br" | "zstd" | "gzip";

/** What a file says of itself. Take it from the descriptor that will be sent. */
export interface PlanFile {
  /** Name, or path with `/` between its parts; decides the media type. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Last modification, in nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
  /**
   * Last change of data or attributes, in nanoseconds since the epoch. Where it is given, the entity
   * tag tells versions apart whose modification time has been set to the same.
   */
  readonly ctimeNs?: bigint | undefined;
  /** The coding of a sidecar; `name` is that of the file it stands for, all else its own. */
  readonly coding?: Coding | undefined;
}

/** Bytes of the file: `start` and `length` lie within it. */
export interface FilePart {
  /** First byte. */
  readonly start: number;
  /** Bytes, at least 1. */
  readonly length: number;
}

/** One piece of a body. */
export type Part = FilePart | Uint8Array;

/**
 * The answer to a request.
 *
 * Plans are never changed. One and the same object is returned for all plain requests for one
 * {@linkcode Representation}: whoever turns its headers into bytes may keep these beside it.
 */
export interface Plan {
  /** Status code. */
  readonly status: number;
  /** Header fields. Content-Length is among them, except for 204 and 304. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body, in order. Empty for HEAD, although Content-Length is that of GET. */
  readonly parts: readonly Part[];
  /** Bytes of all parts. */
  readonly length: number;
}

/** Values of header fields by their names. */
export type Headers = Readonly<Record<string, string>>;

/** No parts at all. */
export const NO_PARTS: readonly Part[] = Object.freeze([]);
