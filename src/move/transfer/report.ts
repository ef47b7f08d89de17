/** What every transfer has around it: a report, a target that is opened and closed. @module */

import { closeEnd, type End, isFile, moveTo, openEnd, positionOf } from "../engine/endpoint.ts";
import { type Sink, taken } from "../engine/portable_copy.ts";
import type { TransferProgress } from "../engine/progress.ts";
import type { TransferResult } from "../../options.ts";
import { noPositions } from "./refusals.ts";
import type { TransferMethod } from "../engine/driver.ts";
import type { TransferOptions } from "./options.ts";

/** What a transfer by methods of some kind comes to. */
interface Report<M extends string> extends TransferResult {
  method: M | "none";
  methods: M[];
}

/** Runs a transfer and reports how it ended, to its caller and to the diagnostics channel. */
export async function reporting<M extends string = TransferMethod>(
  progress: TransferProgress,
  task: () => Promise<void>,
): Promise<Report<M>> {
  await progress.run(async () => {
    if (progress.aborted) throw progress.abortError();
    await task();
  });
  return {
    bytes: progress.bytes,
    method: progress.method as M | "none",
    methods: [...progress.methods] as M[],
    durationMs: progress.elapsedMs,
  };
}

/** Opens the target, finds where in it the first byte goes, and moves its position along. */
export async function withTarget(
  fd: number,
  { targetOffset }: TransferOptions,
  progress: TransferProgress,
  task: (end: End, targetOffset: number | null) => Promise<void>,
): Promise<void> {
  const end = await openEnd(fd, "target");
  try {
    if (targetOffset !== undefined && (!isFile(end) || end.append)) throw noPositions(`fd ${fd}`);
    if (!isFile(end) || end.append) return await task(end, null);
    if (targetOffset !== undefined) return await task(end, targetOffset);
    const position = positionOf(end);
    try {
      await task(end, position);
    } finally {
      moveTo(end, position + progress.bytes);
    }
  } finally {
    closeEnd(end);
  }
}

/** Passes bytes to the runtime; a peer that does not read cannot hold up an abort. */
export function writerOf(
  sink: Sink,
  progress: TransferProgress,
): (bytes: Uint8Array) => Promise<number> {
  return async (bytes) => {
    // What the runtime still holds must not be overwritten by what is read next.
    await taken(sink.write(bytes.slice()), progress);
    return bytes.length;
  };
}
