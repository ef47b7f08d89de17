/** Streams that read a file ahead of their consumer. @module */

import type { Checked, Names } from "../../checked.ts";
import { checkRange, describe, type RangeOptions, wholeNumber } from "../../options.ts";
import { ReadAhead } from "./read_ahead.ts";
import type { Operations } from "./operations.ts";

/** Options of {@linkcode DirectFile.readable}. */
export interface DirectReadableOptions extends RangeOptions {
  /**
   * Reads in flight, 1 to 256.
   *
   * @default {8}
   */
  depth?: number | undefined;
  /**
   * Bytes of each read and of each chunk: a multiple of the file's alignment, at most 64 MiB.
   *
   * @default {512 KiB}
   */
  blockSize?: number | undefined;
  /**
   * Lends the read buffer to the iterator instead of copying: a chunk is valid until you ask for
   * the next one, and is detached then. A stream's reader always gets copies.
   *
   * @default {false}
   */
  lend?: boolean | undefined;
  /** Stops reading: a pending read rejects with an `AbortError`. */
  signal?: AbortSignal | undefined;
}

/** Names of the options in {@linkcode DirectReadableOptions}. */
export const READABLE_OPTIONS: Names<DirectReadableOptions> = {
  blockSize: true,
  depth: true,
  end: true,
  lend: true,
  length: true,
  signal: true,
  start: true,
};

/** A web stream of a file. Its own iterator costs less than that of other streams. */
export type DirectReadable =
  & ReadableStream<Uint8Array<ArrayBuffer>>
  & AsyncIterable<Uint8Array<ArrayBuffer>>;

/** The controller that a byte stream passes to `pull`; the runtimes' types name it differently. */
interface ByteController {
  readonly byobRequest: { respond(bytes: number): void } | null;
}

/** Default read-ahead: enough to keep a disk busy. */
const DEPTH = 8;
const BLOCK = 512 * 1024;
const MOST_BLOCK = 64 * 1024 * 1024;

/** Creates the stream. Reads start when the consumer asks for the first chunk. */
export function readable(
  operations: Operations,
  options: Checked<DirectReadableOptions>,
): DirectReadable {
  const action = `read "${operations.channel.name}"`;
  checkRange(options, action);
  const { start = 0, end, length, lend = false, signal } = options;
  const { depth, blockSize } = checkDepth(options, operations, action);
  const stop = end !== undefined ? end + 1 : length !== undefined ? start + length : Infinity;
  const ahead = new ReadAhead(operations, { start, end: stop, depth, blockSize, signal });
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    type: "bytes",
    async pull(controller) {
      const chunk = await ahead.next();
      if (chunk !== undefined) return controller.enqueue(chunk.slice());
      controller.close();
      // A pending BYOB read ends with an empty answer.
      (controller as unknown as ByteController).byobRequest?.respond(0);
    },
    cancel: () => ahead.stop(),
  }, { highWaterMark: 0 });
  return Object.defineProperty(stream, Symbol.asyncIterator, {
    value: () => iterate(stream, ahead, lend),
  }) as DirectReadable;
}

/** Checks `depth`, `blockSize` and `signal`, for writing too. */
export function checkDepth(
  { depth = DEPTH, blockSize = BLOCK, signal }: {
    depth?: number | undefined;
    blockSize?: number | undefined;
    signal?: AbortSignal | undefined;
  },
  { channel }: Operations,
  action: string,
): { depth: number; blockSize: number } {
  if (wholeNumber(depth, "depth", action) < 1 || depth > 256) {
    throw new RangeError(`Cannot ${action}: depth is ${depth}, but must be in 1..256`);
  }
  const unit = channel.alignment.offset;
  wholeNumber(blockSize, "blockSize", action);
  if (blockSize < 1 || blockSize > MOST_BLOCK || blockSize % unit !== 0) {
    throw new RangeError(
      `Cannot ${action}: blockSize is ${blockSize}, but must be a multiple of ${unit} up to 64 MiB`,
    );
  }
  if (signal !== undefined && typeof signal?.addEventListener !== "function") {
    throw new TypeError(`Cannot ${action}: signal must be an AbortSignal, not ${describe(signal)}`);
  }
  return { depth, blockSize };
}

function iterate(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  ahead: ReadAhead,
  lend: boolean,
): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  let finished: Promise<void> | undefined;
  const finish = () => finished ??= ahead.stop().finally(() => reader.releaseLock());
  const end = { done: true, value: undefined } as const;
  // Steps run one after the other: a lent chunk ends where the next begins.
  let last: Promise<unknown> = Promise.resolve();
  const step = async (): Promise<IteratorResult<Uint8Array<ArrayBuffer>>> => {
    if (finished !== undefined) return end;
    let value: Uint8Array<ArrayBuffer> | undefined;
    try {
      value = lend ? await ahead.lend() : (await ahead.next())?.slice();
    } catch (error) {
      await finish();
      throw error;
    }
    if (value !== undefined) return { done: false, value };
    await finish();
    return end;
  };
  return {
    next: () => {
      const result = last.then(step);
      last = result.catch(() => {});
      return result;
    },
    async return() {
      await finish();
      return end;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
