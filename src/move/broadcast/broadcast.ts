/** Sends one stream to many targets: `broadcast`. @module */

import { ownOptions } from "../../checked.ts";
import { describe } from "../../options.ts";
import { fdOf } from "../../sys/fd.ts";
import {
  BROADCAST_OPTIONS,
  type BroadcastOptions,
  type BroadcastResult,
  checkBroadcast,
  type TargetReport,
} from "./types.ts";
import { BroadcastLoop } from "./broadcast_loop.ts";
import type { Candidate } from "./target_registry.ts";
import { chunkSourceOf } from "./sources/chunk_source.ts";
import { TransferProgress } from "../engine/progress.ts";
import { runtimeTarget } from "../engine/connection/sink.ts";
import { openInput, type TransferSource } from "../engine/input.ts";
import type { TransferTarget } from "../transfer/transfer.ts";

/**
 * A running {@linkcode broadcast}: a promise of its result, with methods for targets that come and
 * go.
 */
export interface Broadcast extends Promise<BroadcastResult> {
  /**
   * Adds a target; it gets all bytes from the next chunk on.
   *
   * @returns False if the broadcast has ended. Errors of the target itself appear in its report.
   *
   * @throws {TypeError} When the value is not a target, or already takes part: its bytes would be
   * mixed up.
   */
  add(target: TransferTarget): boolean;
  /**
   * Removes a target at its current byte, and leaves it open.
   *
   * @returns Its report, once none of its bytes are in flight; `undefined` if it does not take
   * part.
   */
  remove(target: TransferTarget): Promise<TargetReport> | undefined;
}

/**
 * Sends a source to many targets at once, and keeps the bytes out of JavaScript if the targets
 * allow it.
 *
 * For a file, each target gets its own sendfile(2). Bytes from a pipe or a socket are duplicated by
 * tee(2) inside the kernel, into one pipe per target, and leave by splice(2). For other sources,
 * and for targets that hide their descriptor, encrypt, or send HTTP chunks, the bytes are read once
 * and written to each. Chunks of less than 8 KiB are also copied, because that costs less.
 *
 * All targets get the same chunk at a time, so memory is bounded: one chunk of at most 512 KiB for
 * all, and for each target the rest of its last one (in a pipe of 1 MiB, or shared with the
 * others). If the source is a pipe, it is enlarged to the same size, so that its writer fills it in
 * fewer turns. The option `slow` decides what happens to a target that does not take its chunk in
 * time. The event loop never blocks.
 *
 * Each target fails on its own, as its report says; a response also with `EMSGSIZE`, when it has
 * promised another length by its Content-Length, and with `EBUSY`, when another operation is sending
 * to it. The broadcast fails if the source does or if the signal fires. HTTP responses that have
 * begun are then aborted, and everything else stays open. A named pipe that you pass as source by its
 * path waits for its first writer. At the end, responses are ended, and everything else stays open.
 *
 * By default, a response without `Content-Length` is sent in HTTP chunks, and so copied. To send it
 * by its descriptor, let it end with its connection: on Node.js, call
 * `res.setHeader("Connection", "close")` and `res.removeHeader("Transfer-Encoding")`.
 *
 * Descriptors are borrowed; files among them are written at their file position. Write nothing else
 * to a target while it takes part.
 *
 * @param source A path or `file:` URL; a descriptor; a stream of Node.js or of the web, a socket,
 * or anything else that yields `Uint8Array`s; a `Blob`, `Request` or `Response`. The source is never
 * closed; only the body of a `Request` or `Response` is cancelled if it is not read to its end.
 * @param targets Descriptors open for writing, connections, responses, writable streams of Node.js
 * and of the web, and WebSockets.
 * @param options Handling of slow targets, the part to send, progress, rate limit and signal.
 * @returns Once all targets have taken the last byte; {@linkcode Broadcast} says how to join and
 * leave.
 *
 * @throws {TypeError} When an argument has the wrong type, or a target occurs twice.
 * @throws {RangeError} When a number is negative, fractional or outside the file.
 * @throws {SyscallError} When the source cannot be opened or read. (A target that is a file at
 * its size limit fails with `EFBIG`; on Deno, SIGXFSZ ends the process instead.)
 * @throws {TruncatedError} When the source, a file, was truncated.
 * @throws {AbortError} When the signal fired; its reason is the `cause`. All errors except the
 * first two carry `targets`, the reports so far.
 *
 * @example A stream to a client and to a file
 * ```ts ignore
 * const { targets } = await broadcast(upload, [socket, log.fd]);
 * for (const { bytes, error } of targets) console.log(bytes, error?.message ?? "complete");
 * ```
 *
 * @example One source for viewers who come and go
 * ```ts ignore
 * const live = broadcast(camera, [], { slow: "drop", empty: "drop" });
 * createServer((req, res) => {
 *   live.add(res);
 *   res.on("close", () => live.remove(res));
 * }).listen(8080);
 * ```
 *
 * @see {@link https://man7.org/linux/man-pages/man2/tee.2.html}
 */
export function broadcast(
  source: TransferSource,
  targets: Iterable<TransferTarget>,
  options: BroadcastOptions = {},
): Broadcast {
  // Targets that join before the source is open.
  const early = new Map<unknown, Candidate>();
  let loop: BroadcastLoop | undefined;
  let over = false;
  let own: BroadcastOptions;

  const run = async (): Promise<BroadcastResult> => {
    own = ownOptions(options, BROADCAST_OPTIONS);
    checkBroadcast(own);
    for (const target of listed(targets)) enter(candidate(target));
    const count = early.size;
    const { signal } = own;
    const input = await openInput(source, { action: "broadcast", borrows: true, signal });
    const chunkSource = chunkSourceOf(input, own);
    const progress = new TransferProgress(own, chunkSource.total, "broadcast", source);
    loop = new BroadcastLoop(chunkSource, progress, own);
    let index = 0;
    for (const each of early.values()) loop.registry.add(each, index++ < count);
    early.clear();
    return await report(loop, progress);
  };

  const enter = (each: Candidate): void => {
    if (early.has(each.key) || loop?.registry.has(each.key)) {
      throw new TypeError(`Cannot broadcast to ${describe(each.target)} twice at a time`);
    }
    if (loop === undefined) early.set(each.key, each);
    else loop.registry.add(each, false);
  };

  const end = () => over = true;
  const result = run();
  result.then(end, end);
  return Object.assign(result, {
    add(target: TransferTarget): boolean {
      const each = candidate(target);
      if (over || loop?.over) return false;
      enter(each);
      return true;
    },
    remove(target: TransferTarget): Promise<TargetReport> | undefined {
      const { key } = candidate(target);
      if (!early.delete(key)) return loop?.registry.remove(key);
      const unused = { outcome: "removed", bytes: 0, dropped: 0, method: "none" } as const;
      const report: TargetReport = { target, ...unused };
      queueMicrotask(() => own.onTargetEnd?.(report));
      return Promise.resolve(report);
    },
  });
}

async function report(loop: BroadcastLoop, progress: TransferProgress): Promise<BroadcastResult> {
  await progress.run(() =>
    loop.run().catch((cause) => {
      throw Object.assign(cause as Error, { targets: loop.registry.reports });
    })
  );
  return {
    bytes: progress.bytes,
    method: progress.method as BroadcastResult["method"],
    durationMs: progress.elapsedMs,
    targets: loop.registry.reports,
  };
}

/** Detects the kind of a target, without using it. */
function candidate(target: TransferTarget): Candidate {
  const place = runtimeTarget(target) ?? fdOf(target as number, "target");
  return { target, place, key: typeof place === "number" ? place : target };
}

function listed(targets: Iterable<TransferTarget>): Iterable<TransferTarget> {
  const given: unknown = targets;
  if (typeof given === "object" && given !== null && Symbol.iterator in given) return targets;
  throw new TypeError(`Cannot broadcast to ${describe(given)}: expected an array of targets`);
}
