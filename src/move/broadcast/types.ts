/** Options of a broadcast, and the interfaces of its parts. @module */

import type { Names } from "../../checked.ts";
import {
  checkFlow,
  checkFunction,
  checkObject,
  checkRange,
  FLOW_OPTIONS,
  type FlowOptions,
  mustBe,
  oneOf,
  RANGE_OPTIONS,
  type RangeOptions,
  type TransferResult,
} from "../../options.ts";
import type { DescriptorWriter } from "../engine/descriptor_writer.ts";
import type { Pipe } from "../engine/pipe.ts";
import type { TransferTarget } from "../transfer/transfer.ts";

/** What happens to a target that does not keep up: see {@linkcode BroadcastOptions.slow}. */
export type SlowPolicy = "block" | "drop" | "disconnect";

/** How bytes reached a target: see {@linkcode TargetReport.method}. */
export type BroadcastMethod = "sendfile" | "splice" | "copy" | "none";

/** Options of `broadcast`. A range needs a file as source; `length` works with every source. */
export interface BroadcastOptions extends RangeOptions, FlowOptions {
  /**
   * What happens to a target that does not keep up with the others.
   *
   * `"block"`: all wait for it, and each target gets every byte. `"drop"`: it misses whole chunks,
   * which its report counts, and continues with the newest one. `"disconnect"`: its connection is
   * destroyed, and its report carries a `SlowTargetError`. (A socket passed as a descriptor is shut
   * down, and you still own it.)
   *
   * @default {"block"}
   */
  slow?: SlowPolicy | undefined;
  /**
   * How long one target may hold up the others before it counts as slow, in milliseconds >= 0; not
   * with `slow: "block"`. Only the time by which it falls short of the stream's pace counts. The
   * budget refills at 20 ms per second, so no target costs the others more than 2 % of their time
   * in the long run.
   *
   * A target that falls behind in a file holds up the others for 20 ms only. Then they continue, at
   * most 128 MiB ahead of it, and the time that they would have waited counts as soon as they are.
   *
   * @default {250 with "drop", 1000 with "disconnect"}
   */
  slowMs?: number | undefined;
  /**
   * What happens without targets, at the start or when all have left. `"end"`: the broadcast ends.
   * `"wait"`: it stops reading the source until a target joins. `"drop"`: it keeps reading, and
   * discards the bytes.
   *
   * @default {"end"}
   */
  empty?: "end" | "wait" | "drop" | undefined;
  /**
   * Which bytes arrive if a source file is overwritten in place meanwhile. `"shared"`: possibly a
   * mix of old and new bytes. `"copy"`: each byte as it was when it was read.
   *
   * @default {"shared"}
   */
  stability?: "shared" | "copy" | undefined;
  /** Called once for each target that has ended for any reason. Exceptions are not caught. */
  onTargetEnd?: ((report: TargetReport) => void) | undefined;
}

/** The outcome for one target of a broadcast. */
export interface TargetReport {
  /** The target, as you passed it. */
  readonly target: TransferTarget;
  /**
   * `"complete"`: it stayed to the end, and got all bytes except for `dropped`. `"removed"`: it was
   * removed. `"failed"`: see `error`.
   */
  readonly outcome: "complete" | "removed" | "failed";
  /** Bytes that it took. */
  readonly bytes: number;
  /** Bytes that it missed because it was slow, in whole chunks except for the last one. */
  readonly dropped: number;
  /** What moved its last bytes. `"sendfile"` and `"splice"`: they never entered JavaScript. */
  readonly method: BroadcastMethod;
  /** Why it failed: `SyscallError`, `SlowTargetError`, or an error of the runtime. */
  readonly error?: Error | undefined;
}

/** Result of a broadcast. `bytes` counts the bytes of the source, once. */
export interface BroadcastResult extends TransferResult {
  /** What moved the last chunk from the source. */
  method: BroadcastMethod;
  /**
   * Reports of the targets present at the start, and of those present at the end. Only
   * `onTargetEnd` reports targets that joined and left in between, because their number is
   * unlimited.
   */
  targets: TargetReport[];
}

/** One target's share of a chunk in progress. */
export interface PendingWrite {
  /** How it moves. */
  readonly method: BroadcastMethod;
  /** Bytes that the target has not taken. */
  readonly left: number;
  /**
   * Writes some to a descriptor without waiting: a count, 0 if the source fell short, or `-errno`.
   */
  give(fd: number): number;
  /**
   * Writes some to a file in a thread, because that may wait for a disk. Results as of
   * {@linkcode give}.
   */
  giveToFile(writer: DescriptorWriter): Promise<number>;
  /** Takes the next byte, for the runtime's own write. Results as of {@linkcode give}. */
  takeByte(target: Uint8Array): number;
  /** Takes the next bytes, at most `count`; fewer only if the source fell short. */
  takeOut(count: number): Uint8Array;
}

/** The target of a pending write, as a chunk sees it. */
export interface WriteTaker {
  /** Whether it can take pages; otherwise it gets bytes from JavaScript. */
  readonly splices: boolean;
  /** Whether it is a pipe, which needs a different call. */
  readonly toPipe: boolean;
  /** Its own pipe, opened on demand; `null` if no pipe of at least `least` bytes is available. */
  pipe(least: number): Pipe | null;
  /** Writes what there is room for, without waiting: a count, or `-errno`. */
  write(fd: number, bytes: Uint8Array): number;
}

/** A piece of the stream that all targets get. */
export interface Chunk {
  readonly length: number;
  readonly method: BroadcastMethod;
  /** Creates a target's pending write. Targets that take pages come first. */
  laneFor(taker: WriteTaker): PendingWrite;
  /** Called once all targets have their writes. */
  settle(): void;
}

/** A source of chunks. */
export interface ChunkSource {
  /** Total bytes; `Infinity` if unknown. */
  readonly total: number;
  /** Whether the source produces at its own pace, and so also waits for slow targets. */
  readonly live: boolean;
  /**
   * Settles once {@linkcode take} can return more; one call at a time. Rejects if the source fails.
   */
  ready(): Promise<void>;
  /** The next chunk, of at most `count` bytes; `null` if there is none yet. */
  take(count: number): Chunk | "end" | null;
  /**
   * The error for a pending write that found less than its chunk; only for sources where this can
   * happen.
   */
  short?(): Error;
  /** Closes the source. */
  close(): Promise<void>;
}

const ACTION = "broadcast";

/** Names of the options in {@linkcode BroadcastOptions}. */
export const BROADCAST_OPTIONS: Names<BroadcastOptions> = {
  ...RANGE_OPTIONS,
  ...FLOW_OPTIONS,
  empty: true,
  onTargetEnd: true,
  slow: true,
  slowMs: true,
  stability: true,
};

/** Checks the options. */
export function checkBroadcast(options: BroadcastOptions): void {
  checkObject(options, ACTION);
  checkRange(options, ACTION);
  checkFlow(options, ACTION);
  const { slow, slowMs, empty, stability, onTargetEnd } = options;
  oneOf(slow, ["block", "drop", "disconnect"], "slow", ACTION);
  oneOf(empty, ["end", "wait", "drop"], "empty", ACTION);
  oneOf(stability, ["shared", "copy"], "stability", ACTION);
  checkFunction(onTargetEnd, "onTargetEnd", ACTION);
  if (slowMs === undefined) return;
  mustBe(typeof slowMs === "number", ACTION, "slowMs", "a number", slowMs);
  if (!(slowMs >= 0 && slowMs <= MOST_MS)) {
    throw new RangeError(`Cannot ${ACTION}: slowMs is ${slowMs}, but must be in 0..${MOST_MS}`);
  }
  if (slow === undefined || slow === "block") {
    throw new TypeError(`Cannot ${ACTION}: slowMs needs slow: "drop" or "disconnect"`);
  }
}

/** Maximum delay of a timer in milliseconds. */
const MOST_MS = 2 ** 31 - 1;
