/** The parts of the web's types that are used here, so that no types of a runtime are needed. @module */

/** Whatever yields bytes: a `Readable`, a socket, a `ReadableStream`, a generator. */
export type ByteSource = AsyncIterable<Uint8Array | string>;

/** A `ReadableStream` of the web. */
export interface WebReadable {
  /** Whether a reader holds it. */
  readonly locked: boolean;
  /** Locks it to a reader. */
  getReader(): unknown;
  /** Ends it early. */
  cancel(reason?: unknown): Promise<void>;
}

/** A `Blob` or `File`, also one that a file stands behind: `Bun.file()`, `fs.openAsBlob()`. */
export interface WebBlob {
  /** Size in bytes. */
  readonly size: number;
  /** A part of it. */
  slice(start?: number, end?: number): WebBlob;
  /** Its bytes. */
  stream(): unknown;
  /** Its bytes, in memory. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** A `Request` or `Response` whose body nobody has read. */
export interface WebBody {
  /** Its body; `null` if it has none. */
  readonly body: unknown;
  /** Whether somebody has read it. */
  readonly bodyUsed: boolean;
}

/** A `WritableStream` of the web. */
export interface WebWritable {
  /** Whether a writer holds it. */
  readonly locked: boolean;
  /** Locks it to a writer. */
  getWriter(): unknown;
  /** Ends it with an error. */
  abort(reason?: unknown): Promise<void>;
}

/** A `WebSocket` of the web or of the package ws. */
export interface WebSocketLike {
  /** Bytes that it has taken and not sent. */
  readonly bufferedAmount: number;
  /** 0: connecting, 1: open, 2: closing, 3: closed. */
  readonly readyState: number;
  /** Sends one message. */
  send(message: Uint8Array<ArrayBuffer>): unknown;
  /** Closes it. */
  close(code?: number, reason?: string): void;
}

/** A `ServerWebSocket` of Bun. */
export interface BunWebSocket {
  /** Bytes that it has taken and not sent. */
  getBufferedAmount(): number;
  /** 0: connecting, 1: open, 2: closing, 3: closed. */
  readonly readyState: number;
  /** Sends one message: its bytes, -1 if it waits in a queue, 0 if it was dropped. */
  send(message: Uint8Array<ArrayBuffer>): number;
  /** Closes it. */
  close(code?: number, reason?: string): void;
}

/** Whether all these properties of an object are functions. */
export function hasMethods(value: object, ...names: string[]): boolean {
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}

/** Whether a value is a `ReadableStream` of the web. */
export function isWebReadable(value: unknown): value is WebReadable {
  return typeof value === "object" && value !== null && hasMethods(value, "getReader", "cancel") &&
    typeof (value as WebReadable).locked === "boolean";
}

/** Whether a value is a `WritableStream` of the web. */
export function isWebWritable(value: unknown): value is WebWritable {
  return typeof value === "object" && value !== null && hasMethods(value, "getWriter", "abort") &&
    typeof (value as WebWritable).locked === "boolean";
}

/** Whether a value is a `Blob`. */
export function isWebBlob(value: object): value is WebBlob {
  // Does not read the size: see blobInput().
  return hasMethods(value, "slice", "stream", "arrayBuffer") && "size" in value;
}

/** Whether a value is a `Request` or a `Response`. */
export function isWebBody(value: object): value is WebBody {
  return "body" in value && typeof (value as { bodyUsed?: unknown }).bodyUsed === "boolean";
}
