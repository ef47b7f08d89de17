/** Input and output of a plan. @module */

/** A request, from any parser. */
export interface PlanRequest {
  /** Method, in the letter case of the request. */
  readonly method: string;
  /**
   * Returns a header by its lower-case name; `undefined` or `null` if absent. Joins several fields
   * of one name with commas.
   */
  header(name: string): string | null | undefined;
}

/** Content codings of sidecars: precompressed files beside the original (RFC 9110, 8.4.1). */
export type Coding = "br" | "zstd" | "gzip";

/** Properties of a file. Read them from the descriptor that you will send. */
export interface PlanFile {
  /** Name, or path with `/` separators; determines the media type. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Last modification, in nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
  /**
   * Last change of data or attributes, in nanoseconds since the epoch. If present, the entity tag
   * distinguishes versions whose mtime was set to the same value.
   */
  readonly ctimeNs?: bigint | undefined;
  /** Coding of a sidecar. Then `name` is the name of the original; size and times are its own. */
  readonly coding?: Coding | undefined;
}

/** A range within the file. */
export interface FilePart {
  /** First byte. */
  readonly start: number;
  /** Bytes, at least 1. */
  readonly length: number;
}

/** One piece of a body: a range of the file, or bytes. */
export type Part = FilePart | Uint8Array;

/**
 * The planned response to a request.
 *
 * Plans are immutable. All plain requests for one {@linkcode Representation} get the same object,
 * so you can cache serialized headers for it.
 */
export interface Plan {
  /** Status code. */
  readonly status: number;
  /** Header fields. They include Content-Length, except for 204 and 304. */
  readonly headers: Readonly<Record<string, string>>;
  /** Body parts in order. Empty for HEAD, although Content-Length is that of GET. */
  readonly parts: readonly Part[];
  /** Bytes of all parts. */
  readonly length: number;
}

/** Header field values by name. */
export type Headers = Readonly<Record<string, string>>;

/** An empty list of parts. */
export const NO_PARTS: readonly Part[] = Object.freeze([]);
