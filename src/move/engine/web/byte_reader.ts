/** Reads whatever yields bytes. @module */

import { isBytes } from "../../../bytes.ts";
import { describe } from "../../../options.ts";
import { type ByteSource, isWebReadable, type WebReadable } from "./shapes.ts";

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

/** Opens a reader that begins at `start`, and that is asked for `length` bytes in total. */
export type OpenReader = (start: number, length: number) => ByteReader;

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
export function webReader(stream: WebReadable, { length, owned }: WebReading): ByteReader {
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
