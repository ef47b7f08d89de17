/** Ends of a transfer that belong to the runtime: streams, sockets, responses. @module */

import { type Connection, findConnection } from "../guest/find.ts";
import { isBytes } from "../bytes.ts";
import { describe } from "../options.ts";
import { type Sink, streamSink, taken } from "./copy.ts";
import type { Flow } from "./flow.ts";
import { sinkOf } from "./send_to_socket.ts";

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

/**
 * Writes what a stream yields, at most `length` bytes. The stream is left open: what it yielded
 * beyond that it gets back, where it takes it.
 */
export async function pumpIterable(
  source: ByteSource,
  length: number,
  write: (bytes: Uint8Array) => Promise<void>,
  flow: Flow,
): Promise<void> {
  const stream = source as Returnable;
  const iterator = stream.iterator?.({ destroyOnReturn: false }) ??
    source[Symbol.asyncIterator]();
  try {
    while (flow.bytes < length) {
      const { done, value } = await flow.unlessAborted(iterator.next());
      if (done) return;
      const bytes = bytesOf(value);
      const wanted = Math.min(bytes.length, length - flow.bytes);
      if (wanted < bytes.length) stream.unshift?.(bytes.subarray(wanted));
      await writeSlowly(bytes.subarray(0, wanted), write, flow);
    }
  } finally {
    // Nobody waits for it: a generator that is stuck would never return.
    iterator.return?.().catch(() => {});
  }
}

async function writeSlowly(
  bytes: Uint8Array,
  write: (bytes: Uint8Array) => Promise<void>,
  flow: Flow,
): Promise<void> {
  for (let rest = bytes; rest.length > 0;) {
    const allowed = await flow.allowed(rest.length);
    await taken(write(rest.subarray(0, allowed)), flow);
    flow.moved(allowed, "copy");
    rest = rest.subarray(allowed);
  }
}

/** The bytes of what a stream yields. */
export function bytesOf(value: unknown): Uint8Array {
  if (isBytes(value)) return value;
  if (typeof value === "string") return new TextEncoder().encode(value);
  throw new TypeError(`Cannot transfer ${describe(value)}: the source must yield bytes`);
}
