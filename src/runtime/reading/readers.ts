/** Reads whatever yields bytes: streams of Node.js and of the web, bodies, `Blob`s. @module */

import { isBytes } from "../../bytes.ts";
import { TruncatedError } from "../../errors.ts";
import { describe, hasMethods } from "../../options.ts";

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

/** Reads what a stream yields, and leaves the stream open. */
export interface ByteReader {
  /**
   * The next bytes; `null` at the end. `most` is a wish: most streams yield whole chunks.
   */
  next(most: number): Promise<Uint8Array | null>;
  /** Gives unused bytes back, if the stream accepts them. */
  giveBack(bytes: Uint8Array): void;
  /** Stops reading. */
  end(): void;
}

/** A stream of the runtime or of the web. */
export interface StreamInput {
  readonly kind: "stream";
  /** Opens a reader that begins at `start`, and that is asked for `length` bytes in total. */
  open(start: number, length: number): ByteReader;
  /** Size of a `Blob`; `undefined` without positions. */
  readonly size: number | undefined;
  close(): void;
}

/** What yields the bytes behind an object of the runtime, or `undefined` when it is something else. */
export function streamOf(source: unknown): StreamInput | undefined {
  if (typeof source !== "object" || source === null) return undefined;
  if (isWebReadable(source) || Symbol.asyncIterator in source) {
    return endless((length) => byteReader(source as ByteSource, length));
  }
  if (isWebBody(source)) return endless(() => bodyReader(source));
  if (isWebBlob(source)) return blobInput(source);
  // Connections and files of Deno have one of these, and no descriptor to see.
  const { readable } = source as { readable?: unknown };
  return "fd" in source ? undefined : streamOf(readable);
}

/** A stream without positions. */
function endless(open: (length: number) => ByteReader): StreamInput {
  return { kind: "stream", open: (_, length) => open(length), size: undefined, close() {} };
}

/**
 * Starts to read a stream; `length` is `Infinity` if it is read to its end.
 *
 * @throws {TypeError} When another reader holds the stream.
 */
export function byteReader(source: ByteSource | WebReadable, length: number): ByteReader {
  return isWebReadable(source)
    ? webReader(source, { length, owned: false })
    : iterableReader(source);
}

/** A stream of Node.js that bytes can be given back to, and whose iterator need not destroy it. */
interface Returnable extends ByteSource {
  iterator?(options: { destroyOnReturn: boolean }): AsyncIterator<Uint8Array | string>;
  unshift?(bytes: Uint8Array): void;
}

function iterableReader(source: Returnable): ByteReader {
  const iterator = source.iterator?.({ destroyOnReturn: false }) ?? source[Symbol.asyncIterator]();
  return {
    async next() {
      const { done, value } = await iterator.next();
      return done ? null : bytesOf(value);
    },
    giveBack(bytes) {
      if (bytes.length > 0) source.unshift?.(bytes);
    },
    end() {
      // Don't wait for it: a stuck generator would never return.
      iterator.return?.().catch(() => {});
    },
  };
}

interface Reader {
  read(into?: Uint8Array): Promise<{ done: boolean; value?: unknown }>;
  cancel(): Promise<void>;
  releaseLock(): void;
  readonly closed: Promise<unknown>;
}

/** Bytes that a read of a byte stream asks for at most. */
const READ_BYTES = 64 * 1024;

/** How to read a stream of the web. */
interface WebReading {
  /** Bytes wanted in total. */
  readonly length: number;
  /** Whether no other code can read the stream, so that it is cancelled at the end. */
  readonly owned: boolean;
}

/**
 * A stream of the web. Its own iterator would cancel it at the end, and wait for a read in progress
 * before.
 */
function webReader(stream: WebReadable, { length, owned }: WebReading): ByteReader {
  if (stream.locked) throw new TypeError(`Cannot read ${describe(stream)}: it is locked`);
  // A byte stream yields no more than there is room for, so that nothing beyond the length is lost.
  const byob = length === Infinity || owned ? null : byobReader(stream);
  const reader = byob ?? stream.getReader() as Reader;
  reader.closed.catch(() => {});
  return {
    async next(most) {
      const into = byob === null ? [] : [new Uint8Array(Math.max(1, Math.min(most, READ_BYTES)))];
      const { done, value } = await reader.read(...into);
      return done ? null : bytesOf(value);
    },
    giveBack() {},
    end() {
      if (owned) reader.cancel().catch(() => {});
      reader.releaseLock();
    },
  };
}

function byobReader(stream: WebReadable): Reader | null {
  try {
    return (stream as { getReader(options: { mode: "byob" }): Reader }).getReader({ mode: "byob" });
  } catch {
    // Not a byte stream.
    return null;
  }
}

function bytesOf(value: unknown): Uint8Array {
  if (isBytes(value)) return value;
  if (typeof value === "string") return new TextEncoder().encode(value);
  throw new TypeError(
    `Cannot transfer ${describe(value)}: the source must yield bytes (Uint8Array) or strings`,
  );
}

/**
 * Reads the body of a `Request` or a `Response`. It is cancelled if its reader stops before the end,
 * because nothing else can read the rest.
 *
 * @throws {TypeError} When other code has read or locked it.
 */
function bodyReader(owner: WebBody): ByteReader {
  const { body, bodyUsed } = owner;
  if (bodyUsed) throw new TypeError(`Cannot read ${describe(owner)}: its body has been read`);
  if (!isWebReadable(body)) return { next: () => Promise.resolve(null), giveBack() {}, end() {} };
  if (body.locked) throw new TypeError(`Cannot read ${describe(owner)}: its body is locked`);
  return webReader(body, { length: Infinity, owned: true });
}

/**
 * Opens a `Blob`; a file behind it may turn out shorter than its size.
 *
 * The file is not sent by its path. Only `Bun.file()` tells one, as a name that the program can
 * change, and that parts of the file have, too.
 */
function blobInput(blob: WebBlob): StreamInput {
  // Before the size: Bun reads nothing from a file of size 0 after that, whatever the file has.
  const whole = blob.stream() as WebReadable;
  const { size } = blob;
  return {
    kind: "stream",
    open: (start, length) => {
      const stream = start === 0 ? whole : blob.slice(start).stream() as WebReadable;
      return blobReader(stream, length, `read ${describe(blob)}`);
    },
    // Files whose content the kernel generates have the size 0, too.
    size: Number.isSafeInteger(size) && size > 0 ? size : undefined,
    close() {
      if (!whole.locked) whole.cancel().catch(() => {});
    },
  };
}

function blobReader(stream: WebReadable, length: number, action: string): ByteReader {
  const reader = webReader(stream, { length, owned: true });
  let bytesMoved = 0;
  return {
    ...reader,
    async next(most) {
      const bytes = await reader.next(most);
      if (bytes !== null) return bytesMoved += bytes.length, bytes;
      if (bytesMoved >= length || length === Infinity) return null;
      throw new TruncatedError({ action, bytesMoved, bytesExpected: length });
    },
  };
}

/** Whether a value is a `ReadableStream` of the web. */
function isWebReadable(value: unknown): value is WebReadable {
  return typeof value === "object" && value !== null && hasMethods(value, "getReader", "cancel") &&
    typeof (value as WebReadable).locked === "boolean";
}

/** Whether a value is a `Blob`. */
function isWebBlob(value: object): value is WebBlob {
  // Does not read the size: see blobInput().
  return hasMethods(value, "slice", "stream", "arrayBuffer") && "size" in value;
}

/** Whether a value is a `Request` or a `Response`. */
function isWebBody(value: object): value is WebBody {
  return "body" in value && typeof (value as { bodyUsed?: unknown }).bodyUsed === "boolean";
}
