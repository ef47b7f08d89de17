/** The thread that relays between sockets of the caller. @module */

import { ESHUTDOWN } from "../../errno.ts";
import { AbortError, errnoNumber, SyscallError, UnsupportedError } from "../../errors.ts";
import type { TakenConnection } from "../../runtime/take_over.ts";
import * as raw from "../../sys/raw/mod.ts";
import { WorkerPool } from "../../threads/worker_pool.ts";
import {
  isLasting,
  isWorkerMissing,
  jobLocation,
  warnOfFallback,
} from "../../threads/worker_location.ts";
import type { PairSettings, RelayProgress } from "./types.ts";
import type { RelayCommand, RelayJobData } from "./server/commands.ts";
import { Count, type Counters, newCounters } from "./server/counters.ts";
import { type Side, take } from "./side.ts";

const ACTION = "relay between two sockets";

let current: WorkerPool | undefined;
let pairs = 0;
let lastPair = 0;

/** Whether the file of the thread's Worker is missing; that does not change. */
let missing = false;

/**
 * Whether the thread runs; starts it. Nothing is taken over before: without the file of its Worker, the
 * sockets must remain the runtime's.
 */
export async function hasThread(): Promise<boolean> {
  if (missing) return false;
  try {
    const pool = thread();
    pool.ref();
    await pool.ready.finally(() => pairs === 0 && pool.unref());
    return true;
  } catch (cause) {
    // For want of a thread, the runtime relays this pair; the next one may get it.
    if (cause instanceof UnsupportedError && !isLasting(cause)) return false;
    if (!isWorkerMissing(cause)) throw cause;
    missing = true;
    warnOfFallback("relays", cause);
    return false;
  }
}

/** Relays between two sockets by splice, until both directions have ended, and closes them. */
export async function splicePair(
  first: Side,
  second: Side,
  { idleMs, progress, signal }: PairSettings,
): Promise<"splice" | "copy"> {
  // Start the thread before taking anything over, because it may fail.
  const pool = thread();
  const counters = newCounters();
  const pair = ++lastPair;
  const cut = () => void pool.call({ type: "cut", pair } satisfies RelayCommand).catch(() => {});
  if (pairs++ === 0) pool.ref();
  const taken: TakenConnection[] = [];
  try {
    for (const side of [first, second]) taken.push(await take(side));
    const [a, b] = taken as [TakenConnection, TakenConnection];
    const command: RelayCommand = {
      type: "adopt",
      fds: [a.fd, b.fd],
      ahead: [a.ahead, b.ahead],
      blocking: [first, second].some((side) => side.kind === "descriptor" && side.blocking),
      idleMs,
      counters,
      pair,
    };
    // The thread owns the duplicates from here on.
    const answer = pool.call(command);
    report(counters, progress);
    signal?.addEventListener("abort", cut);
    if (signal?.aborted) cut();
    for (const { whenClosed } of taken) whenClosed(cut);
    const [result] = await answer;
    if (result! < 0) throw failure(-result!, progress.bytes, signal);
    return counters[Count.COPIED] === 1 ? "copy" : "splice";
  } catch (cause) {
    if (taken.length === 1) raw.close(taken[0]!.fd);
    throw cause;
  } finally {
    signal?.removeEventListener("abort", cut);
    for (const { destroy } of taken) destroy();
    if (--pairs === 0) pool.unref();
  }
}

/** Makes the properties of `progress` read the thread's counters. */
function report(counters: Counters, progress: RelayProgress): void {
  Object.defineProperties(progress, {
    bytesForth: { get: () => counters[Count.UP], enumerable: true },
    bytesBack: { get: () => counters[Count.DOWN], enumerable: true },
    bytes: { get: () => counters[Count.UP]! + counters[Count.DOWN]!, enumerable: true },
  });
}

function failure(errno: number, bytesMoved: number, signal: AbortSignal | undefined): Error {
  if (signal?.aborted) return new AbortError(bytesMoved, signal.reason);
  // Then only the owner of a socket can have shut it down.
  const number = -errno === ESHUTDOWN ? errnoNumber("ECONNABORTED") : errno;
  return new SyscallError({ syscall: "splice", errno: number, action: ACTION, bytesMoved });
}

function thread(): WorkerPool {
  if (current !== undefined) return current;
  const data: RelayJobData = {
    upstreams: [],
    connectMs: 0,
    idleMs: 0,
    counters: newCounters(),
    total: new Int32Array(new SharedArrayBuffer(4)),
    maxConnections: 0,
    sheds: false,
    traced: false,
    index: 0,
    shares: null,
  };
  return current = new WorkerPool({
    job: jobLocation("move/relay/server/relay_job"),
    name: "sluice relay",
    threads: 1,
    data: () => data,
    fds: () => [],
    // Their calls are rejected; the next relay starts another thread.
    ended: () => current = undefined,
  });
}
