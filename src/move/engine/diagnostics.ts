/** Publishes what each transfer did. @module */

import type { Channel } from "node:diagnostics_channel";
import { builtin } from "../../builtins.ts";
import { debug } from "../../debug.ts";
import type { TransferResult } from "../../options.ts";

/** The function that moves bytes; `sendFile` also stands for `serveStatic` and its like. */
export type Operation =
  | "sendFile"
  | "createReadStream"
  | "transfer"
  | "copyFile"
  | "broadcast"
  | "relay"
  | "createRelay"
  | "DirectFile.read"
  | "DirectFile.write";

/**
 * Published on the channel `"sluice:transfer"` of `node:diagnostics_channel` when a transfer has
 * ended for any reason.
 *
 * A stream of `createReadStream` publishes one event for each stretch that it sends by sendfile(2),
 * and none for bytes that pass through it like through any other stream. A relay of `createRelay`
 * publishes one for each connection, if the channel has a subscriber when the relay starts to listen.
 *
 * Keep a reference to the channel that you subscribe to: Bun 1.4 drops the subscribers of an
 * unreferenced channel at the next garbage collection.
 *
 * @example Count the bytes sent without a copy
 * ```ts ignore
 * export const transfers = diagnosticsChannel.channel("sluice:transfer");
 * transfers.subscribe((event) => {
 *   const { bytes, method } = event as TransferEvent;
 *   if (method === "sendfile") sent += bytes;
 * });
 * ```
 */
export interface TransferEvent extends TransferResult {
  /** The function that moved the bytes. */
  operation: Operation;
  /** Error that ended it before its last byte; absent on success. */
  error?: Error | undefined;
}

/**
 * The message of the tracing channel `"sluice:transfer"`: see `tracingChannel()` of
 * `node:diagnostics_channel`. Its events are `start`, when the first byte is about to be moved,
 * `asyncEnd`, and `error` before it if the transfer has failed. The same object comes with all of
 * them, so you can keep a span for it.
 *
 * @example A span for each transfer, by the names of the channels
 * ```ts ignore
 * const spans = new WeakMap<object, Span>();
 * const [started, ended] = ["start", "asyncEnd"].map((event) =>
 *   diagnosticsChannel.channel(`tracing:sluice:transfer:${event}`)
 * );
 * started.subscribe((trace) => spans.set(trace as object, tracer.startSpan("transfer")));
 * ended.subscribe((trace) => spans.get(trace as object)?.end());
 * ```
 */
export interface TransferTrace extends Partial<TransferEvent> {
  /** The function that moves the bytes. */
  readonly operation: Operation;
  /** Bytes that the transfer is to move; `Infinity` if its length is unknown. */
  readonly total: number;
}

const channels = new Map<string, Channel>();

/** Returns a channel; keeps it, because Bun drops the subscribers of an unreferenced one. */
function channelOf(name: string): Channel {
  let channel = channels.get(name);
  if (channel === undefined) {
    channels.set(name, channel = builtin("diagnostics_channel").channel(name));
  }
  return channel;
}

const START = "tracing:sluice:transfer:start";
const END = "tracing:sluice:transfer:asyncEnd";
const FAILED = "tracing:sluice:transfer:error";

/** Publishes the start of a transfer; returns what to pass to {@linkcode publish} at its end. */
export function publishStart(operation: Operation, total: number): TransferTrace | undefined {
  if (!isTraced()) return undefined;
  const trace: TransferTrace = { operation, total };
  channelOf(START).publish(trace);
  return trace;
}

/** Whether someone traces transfers. */
export function isTraced(): boolean {
  return channelOf(START).hasSubscribers || channelOf(END).hasSubscribers;
}

let watched: readonly Channel[] | undefined;

/** Whether someone traces transfers, or wants the event of their end. */
export function isObserved(): boolean {
  watched ??= [START, END, "sluice:transfer"].map(channelOf);
  for (const channel of watched) if (channel.hasSubscribers) return true;
  return false;
}

/** Publishes the start and the end of a call that resolves to a number of bytes. */
export async function traced(
  operation: Operation,
  total: number,
  method: string,
  call: () => Promise<number>,
): Promise<number> {
  const began = performance.now();
  const trace = publishStart(operation, total);
  const end = (bytes: number, error?: Error) =>
    publish({ operation, bytes, method, durationMs: performance.now() - began, error }, trace);
  try {
    const bytes = await call();
    end(bytes);
    return bytes;
  } catch (error) {
    end((error as { bytesMoved?: number }).bytesMoved ?? 0, error as Error);
    throw error;
  }
}

/** Publishes an event; costs almost nothing without subscribers. */
export function publish(event: TransferEvent, trace?: TransferTrace): void {
  debug(() => {
    const { operation, bytes, method, durationMs, error } = event;
    const end = error === undefined ? "" : `, then ${error.name}: ${error.message}`;
    return `${operation}: ${bytes} bytes by ${method} in ${Math.round(durationMs)} ms${end}`;
  });
  const channel = channelOf("sluice:transfer");
  if (channel.hasSubscribers) channel.publish(event);
  if (trace === undefined) return;
  const { error, operation: _, ...rest } = event;
  Object.assign(trace, rest, error && { error });
  if (error !== undefined) channelOf(FAILED).publish(trace);
  channelOf(END).publish(trace);
}

/**
 * Returns a listener for the requests of a server that also publishes them on the channel
 * `"sluice:request"`, if that has a subscriber now.
 */
export function publishing<T extends object>(
  onRequest: ((event: T) => void) | undefined,
): ((event: T) => void) | undefined {
  const channel = channelOf("sluice:request");
  if (!channel.hasSubscribers) return onRequest;
  return (event) => {
    channel.publish(event);
    onRequest?.(event);
  };
}
