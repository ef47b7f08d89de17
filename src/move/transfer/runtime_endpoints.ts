/** Ends of a transfer that belong to the runtime: streams, sockets, responses. @module */

import { type Connection, findConnection } from "../../runtime/find.ts";
import { isBytes } from "../../bytes.ts";
import { describe } from "../../options.ts";
import { type Sink, streamSink, taken } from "../engine/portable_copy.ts";
import type { TransferProgress } from "../engine/progress.ts";
import { sinkOf } from "../send_file/to_socket.ts";

/** Whatever yields bytes: a `Readable`, a socket, a `ReadableStream`, a generator. */
export type ByteSource = AsyncIterable<Uint8Array | string>;

/** A stream of Node.js that bytes can be given back to, and whose iterator need not destroy it. */
interface Returnable extends ByteSource {
  iterator?(options: { destroyOnReturn: boolean }): AsyncIterator<Uint8Array | string>;
  unshift?(bytes: Uint8Array): void;
}

/** The bytes behind an object of the runtime, or `undefined` when it is something else. */
export function byteSource(source: unknown): ByteSource | undefined {
  if (typeof source !== "object" || source === null) return undefined;
  if (Symbol.asyncIterator in source) return source as ByteSource;
  // Connections and files of Deno have one of these, and no descriptor to see.
  const { readable } = source as { readable?: unknown };
  return "fd" in source ? undefined : byteSource(readable);
}

/** A target of the runtime. */
export type RuntimeTarget = Connection | { readonly kind: "writable"; readonly stream: Writable };

type Writable = Parameters<typeof streamSink>[0];

/** The connection or stream behind an object of the runtime, or `undefined`. */
export function runtimeTarget(target: unknown): RuntimeTarget | undefined {
  if (typeof target !== "object" || target === null) return undefined;
  const { end, closeWrite, write, on } = target as Record<string, unknown>;
  // A `FileHandle` has `write` and `on` as well, but nothing to end.
  if (typeof write !== "function") return undefined;
  if (typeof end !== "function" && typeof closeWrite !== "function") return undefined;
  try {
    return findConnection(target);
  } catch (error) {
    if (typeof on !== "function") throw error;
    return { kind: "writable", stream: target as Writable };
  }
}

/** The runtime's own writes to such a target. */
export function runtimeSink(target: RuntimeTarget): Sink {
  switch (target.kind) {
    case "writable":
      return streamSink(target.stream);
    case "response":
      return streamSink(target.response);
    default:
      return sinkOf(target, null);
  }
}

/** Reads what a stream yields, and leaves the stream open. */
export class ByteReader {
  readonly #source: Returnable;
  readonly #iterator: AsyncIterator<Uint8Array | string>;

  constructor(source: ByteSource) {
    this.#source = source;
    this.#iterator = this.#source.iterator?.({ destroyOnReturn: false }) ??
      source[Symbol.asyncIterator]();
  }

  /** The next bytes; `null` at the end. */
  async next(): Promise<Uint8Array | null> {
    const { done, value } = await this.#iterator.next();
    return done ? null : bytesOf(value);
  }

  /** Gives back bytes that nobody needs, where the stream takes them. */
  giveBack(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#source.unshift?.(bytes);
  }

  /** Reads no more. Nobody waits for it: a generator that is stuck would never return. */
  end(): void {
    this.#iterator.return?.().catch(() => {});
  }
}

/** Writes what a stream yields, at most `length` bytes; it gets back what it yielded beyond that. */
export async function pumpIterable(
  source: ByteSource,
  length: number,
  write: (bytes: Uint8Array) => Promise<void>,
  progress: TransferProgress,
): Promise<void> {
  const reader = new ByteReader(source);
  try {
    while (progress.bytes < length) {
      const bytes = await progress.unlessAborted(reader.next());
      if (bytes === null) return;
      const wanted = Math.min(bytes.length, length - progress.bytes);
      reader.giveBack(bytes.subarray(wanted));
      await writeSlowly(bytes.subarray(0, wanted), write, progress);
    }
  } finally {
    reader.end();
  }
}

async function writeSlowly(
  bytes: Uint8Array,
  write: (bytes: Uint8Array) => Promise<void>,
  progress: TransferProgress,
): Promise<void> {
  for (let rest = bytes; rest.length > 0;) {
    const allowed = await progress.allowed(rest.length);
    await taken(write(rest.subarray(0, allowed)), progress);
    progress.moved(allowed, "copy");
    rest = rest.subarray(allowed);
  }
}

function bytesOf(value: unknown): Uint8Array {
  if (isBytes(value)) return value;
  if (typeof value === "string") return new TextEncoder().encode(value);
  throw new TypeError(`Cannot transfer ${describe(value)}: the source must yield bytes`);
}
