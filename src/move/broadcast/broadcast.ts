/** One stream to many targets: `broadcast`. @module */

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
import { openChunkSource } from "./sources/open_source.ts";
import { TransferProgress } from "../engine/progress.ts";
import { runtimeTarget } from "../transfer/runtime_endpoints.ts";
import type { TransferSource, TransferTarget } from "../transfer/transfer.ts";

/** A running {@linkcode broadcast}: the promise of its result, and the door for those who come and go. */
export interface Broadcast extends Promise<BroadcastResult> {
  /**
   * Lets a target join; it gets what comes from now on, from the next chunk.
   *
   * @returns Whether it could: false once the broadcast has ended. What goes wrong with the target
   * itself stands in its report.
   *
   * @throws {TypeError} When it is no target, or takes part already: its bytes would be mixed up.
   */
  add(target: TransferTarget): boolean;
  /**
   * Takes a target out, at the byte that it has reached, and leaves it open.
   *
   * @returns Its report, once nothing of it is under way any more; `undefined` when it does not take
   * part.
   */
  remove(target: TransferTarget): Promise<TargetReport> | undefined;
}

/**
 * Sends what a source yields to many targets at once, and keeps the bytes out of JavaScript where the
 * targets allow it.
 *
 * A file is sent to each target by a sendfile(2) of its own. What comes from a pipe or a socket is
 * duplicated by tee(2) inside the kernel, into one pipe for each target, and goes on by splice(2). The
 * other sources, and the targets that show no descriptor, encrypt, or send in HTTP chunks, get bytes
 * that are read once. Chunks of less than 8 KiB are copied as well, for that costs less.
 *
 * All get the same chunk at a time, so memory is bounded: one chunk of at most 512 KiB for all, and for
 * each target what is left of its last one (in a pipe of 1 MiB, or shared with the others). A pipe
 * that is read from is made as large, so that its writer fills it in fewer turns. Who does not take its
 * chunk in time is handled as `slow` says. The event loop waits for nobody.
 *
 * Each target fails for itself, as its report tells. The broadcast fails when the source does or when
 * the signal fires; HTTP responses are then cut off, everything else stays open. At the end,
 * responses are ended, and everything else stays open.
 *
 * A response without `Content-Length` is sent in chunks, and copied, by default. One that ends with
 * its connection goes by descriptor: `res.setHeader("Connection", "close")` and
 * `res.removeHeader("Transfer-Encoding")` on Node.js.
 *
 * Descriptors are borrowed, files among them are written at their file position. Write nothing else
 * to a target while it takes part.
 *
 * @param source A path or `file:` URL; a descriptor; a stream of Node.js or of the web, a socket, or
 * anything else that yields `Uint8Array`s. No end of a source is closed.
 * @param targets Descriptors open for writing, connections, responses and writable streams.
 * @param options What to do with the slow, the part to send, and how to watch and stop it.
 * @returns Once all targets have taken the last byte; {@linkcode Broadcast} says how to join and leave.
 *
 * @throws {TypeError} When an argument is of the wrong kind, or a target is named twice.
 * @throws {RangeError} When a number is negative, fractional or outside the file.
 * @throws {SyscallError} When the source cannot be opened or read. (A target that is a file at its limit
 * fails with `EFBIG`; SIGXFSZ ends Deno.)
 * @throws {TruncatedError} When the source, a file, became shorter.
 * @throws {AbortError} When the signal fired; its reason is the `cause`.
 * All but the first two carry `targets`, the reports by then.
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
  // Those who join before the source is open.
  const early = new Map<unknown, Candidate>();
  let loop: BroadcastLoop | undefined;
  let over = false;
  let own: BroadcastOptions;

  const run = async (): Promise<BroadcastResult> => {
    own = ownOptions(options, BROADCAST_OPTIONS);
    checkBroadcast(own);
    for (const target of listed(targets)) enter(candidate(target));
    const count = early.size;
    const chunkSource = await openChunkSource(source, own);
    const progress = new TransferProgress(own, chunkSource.total);
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

/** Says what a target is, before anything is done with it. */
function candidate(target: TransferTarget): Candidate {
  const place = runtimeTarget(target) ?? fdOf(target as number, "target");
  return { target, place, key: typeof place === "number" ? place : target };
}

function listed(targets: Iterable<TransferTarget>): Iterable<TransferTarget> {
  const given: unknown = targets;
  if (typeof given === "object" && given !== null && Symbol.iterator in given) return targets;
  throw new TypeError(`Cannot broadcast to ${describe(given)}: expected an array of targets`);
}
