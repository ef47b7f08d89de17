/** Targets of the web: a `WritableStream`, and a `WebSocket` of any kind. @module */

import { describe, hasMethods } from "../../../options.ts";
import type { Sink } from "./sink_types.ts";

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

/** A target of the web. */
export interface WebTarget {
  readonly kind: "web";
  /**
   * Locks it until the sink is released.
   *
   * @throws {TypeError} When a writer holds the stream.
   */
  open(): Sink;
}

/** The target of the web behind an object, also as its property `writable`; or `undefined`. */
export function webTarget(target: object): WebTarget | undefined {
  if (isWebWritable(target)) return { kind: "web", open: () => writableSink(target) };
  const buffered = bufferedOf(target);
  if (buffered !== undefined) {
    return { kind: "web", open: () => socketSink(target as WebSocketLike, buffered) };
  }
  const { writable } = target as { writable?: unknown };
  if ("fd" in target || !isWebWritable(writable)) return undefined;
  return { kind: "web", open: () => writableSink(writable) };
}

interface Writer {
  readonly closed: Promise<unknown>;
  readonly ready: Promise<unknown>;
  write(bytes: Uint8Array): Promise<void>;
  abort(reason: unknown): Promise<void>;
  releaseLock(): void;
}

/**
 * A stream of the web gets memory of its own: it may keep a chunk for good, and take the buffer away
 * from everybody else, as byte streams and `postMessage()` do.
 */
function writableSink(stream: WebWritable): Sink {
  if (stream.locked) throw new TypeError(`Cannot write to ${describe(stream)}: it is locked`);
  const writer = stream.getWriter() as Writer;
  let closed = false;
  const ended = () => void (closed = true);
  writer.closed.then(ended, ended);
  writer.ready.catch(() => {});
  return {
    closed: () => closed,
    async write(bytes) {
      // Rejects once the stream has failed; its own queue may be longer than one chunk.
      await writer.ready;
      await writer.write(new Uint8Array(bytes));
    },
    destroy: () => void writer.abort(new Error("Cut off by sluice")).catch(() => {}),
    release: () => writer.releaseLock(),
  };
}

/** Bytes of one message. */
const MESSAGE_BYTES = 64 * 1024;
/** Bytes that may wait in a WebSocket. */
const MOST_BUFFERED = 512 * 1024;
/** First and longest pause between two looks at a WebSocket, which has no event for room, in milliseconds. */
const FIRST_MS = 1;
const LONGEST_MS = 32;

const [CONNECTING, OPEN] = [0, 1];

/** Returns a function that asks for the bytes waiting in a WebSocket; `undefined` for other objects. */
function bufferedOf(target: object): (() => number) | undefined {
  if (!hasMethods(target, "send", "close") || !("readyState" in target)) return undefined;
  if (hasMethods(target, "getBufferedAmount")) {
    return () => (target as BunWebSocket).getBufferedAmount();
  }
  return typeof (target as WebSocketLike).bufferedAmount === "number"
    ? () => (target as WebSocketLike).bufferedAmount
    : undefined;
}

/** Sends binary messages, and waits while too much waits in the socket. */
function socketSink(socket: WebSocketLike | BunWebSocket, buffered: () => number): Sink {
  let over = false;
  const until = async (holds: () => boolean) => {
    for (let ms = FIRST_MS; !over && socket.readyState <= OPEN && !holds();) {
      await new Promise((resolve) => setTimeout(resolve, ms));
      ms = Math.min(2 * ms, LONGEST_MS);
    }
    if (!over && socket.readyState !== OPEN) throw new Error("The WebSocket is closed");
  };
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length; at += MESSAGE_BYTES) {
        await until(() => socket.readyState !== CONNECTING && buffered() < MOST_BUFFERED);
        if (over) return;
        // Some sockets send it later, and mask it in place.
        const message = new Uint8Array(bytes.subarray(at, at + MESSAGE_BYTES));
        if (socket.send(message) === 0) throw new Error("The WebSocket has dropped a message");
      }
    },
    closed: () => socket.readyState > OPEN,
    flush: () => until(() => buffered() === 0),
    destroy: () => socket.close(),
    release: () => void (over = true),
  };
}

/** Whether a value is a `WritableStream` of the web. */
function isWebWritable(value: unknown): value is WebWritable {
  return typeof value === "object" && value !== null && hasMethods(value, "getWriter", "abort") &&
    typeof (value as WebWritable).locked === "boolean";
}
