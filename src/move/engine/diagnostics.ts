/** Telling whoever listens what each transfer did. @module */

import type { Channel } from "node:diagnostics_channel";
import { builtin } from "../../builtins.ts";
import { debug } from "../../debug.ts";
import type { TransferResult } from "../../options.ts";

/**
 * What is published on the channel `"sluice:transfer"` of `node:diagnostics_channel` when a transfer
 * has ended, in whatever way.
 *
 * A stream of `createReadStream` publishes one for each stretch that it sends by sendfile(2), and
 * nothing for what passes through it as through any other stream.
 *
 * Keep the channel that you subscribe to: Bun 1.4 forgets the subscribers of one that nobody refers
 * to, with the next garbage collection.
 *
 * @example Count what was sent without a copy
 * ```ts ignore
 * export const transfers = diagnosticsChannel.channel("sluice:transfer");
 * transfers.subscribe((event) => {
 *   const { bytes, method } = event as TransferEvent;
 *   if (method === "sendfile") sent += bytes;
 * });
 * ```
 */
export interface TransferEvent extends TransferResult {
  /** Why it ended before its last byte; absent when nothing failed. */
  error?: Error | undefined;
}

let channel: Channel | undefined;

/** Publishes an event; costs nothing to speak of while nobody listens. */
export function publish(event: TransferEvent): void {
  debug(() => {
    const { bytes, method, durationMs, error } = event;
    const end = error === undefined ? "" : `, then ${error.name}: ${error.message}`;
    return `${bytes} bytes by ${method} in ${Math.round(durationMs)} ms${end}`;
  });
  channel ??= builtin("diagnostics_channel").channel("sluice:transfer");
  if (channel.hasSubscribers) channel.publish(event);
}
