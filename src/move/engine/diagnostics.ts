/** Publishes what each transfer did. @module */

import type { Channel } from "node:diagnostics_channel";
import { builtin } from "../../builtins.ts";
import { debug } from "../../debug.ts";
import type { TransferResult } from "../../options.ts";

/**
 * Published on the channel `"sluice:transfer"` of `node:diagnostics_channel` when a transfer has
 * ended for any reason.
 *
 * A stream of `createReadStream` publishes one event for each stretch that it sends by sendfile(2),
 * and none for bytes that pass through it like through any other stream.
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
  /** Error that ended it before its last byte; absent on success. */
  error?: Error | undefined;
}

let channel: Channel | undefined;

/** Publishes an event; costs almost nothing without subscribers. */
export function publish(event: TransferEvent): void {
  debug(() => {
    const { bytes, method, durationMs, error } = event;
    const end = error === undefined ? "" : `, then ${error.name}: ${error.message}`;
    return `${bytes} bytes by ${method} in ${Math.round(durationMs)} ms${end}`;
  });
  channel ??= builtin("diagnostics_channel").channel("sluice:transfer");
  if (channel.hasSubscribers) channel.publish(event);
}
