/** What every part of a broadcast knows: its options, and the shapes of what it works with. @module */

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

/** What becomes of a target that does not keep up: see {@linkcode BroadcastOptions.slow}. */
export type SlowPolicy = "block" | "drop" | "disconnect";

/** How bytes got to a target: see {@linkcode TargetReport.method}. */
export type BroadcastMethod = "sendfile" | "splice" | "copy" | "none";

/** Options of `broadcast`. A range needs a source that is a file; `length` suits every source. */
export interface BroadcastOptions extends RangeOptions, FlowOptions {
  /**
   * What becomes of a target that does not keep up with the others.
   *
   * `"block"`: all wait for it, and everybody gets every byte. `"drop"`: it misses whole chunks, which
   * its report counts, and goes on with the newest one. `"disconnect"`: its connection is destroyed
   * (a socket given as a descriptor is shut down, and stays its owner's), and its report carries a
   * `SlowTargetError`.
   *
   * @default {"block"}
   */
  slow?: SlowPolicy | undefined;
  /**
   * How long one target may hold up the others before it counts as slow, in milliseconds >= 0; not
   * with `slow: "block"`. Only what it falls short of the pace of the stream counts. What it has used
   * up comes back at 20 ms per second, so that no target costs the others more than 2 % of their time
   * in the long run.
   *
   * One that falls behind in a file holds up the others for 20 ms only. Then they go on, at most
   * 128 MiB ahead of it, and the time that they would have waited counts as soon as they are.
   *
   * @default {250 with "drop", 1000 with "disconnect"}
   */
  slowMs?: number | undefined;
  /**
   * What happens while there is no target, at the start or because all have left. `"end"`: the
   * broadcast ends. `"wait"`: the source is not read until somebody joins. `"drop"`: it is read on,
   * and what nobody gets is gone.
   *
   * @default {"end"}
   */
  empty?: "end" | "wait" | "drop" | undefined;
  /**
   * What arrives when somebody overwrites the source, a file, in place meanwhile. `"shared"`: maybe
   * new bytes among old ones. `"copy"`: each byte as it was when it was read.
   *
   * @default {"shared"}
   */
  stability?: "shared" | "copy" | undefined;
  /** Called once for each target that is done, in whatever way. What it throws is not caught. */
  onTargetEnd?: ((report: TargetReport) => void) | undefined;
}

/** How one target of a broadcast fared. */
export interface TargetReport {
  /** The target, as it was given. */
  readonly target: TransferTarget;
  /**
   * `"complete"`: it was there at the end, and got all but what was `dropped`. `"removed"`: it was
   * taken out. `"failed"`: see `error`.
   */
  readonly outcome: "complete" | "removed" | "failed";
  /** Bytes that it took. */
  readonly bytes: number;
  /** Bytes that it missed because it was slow, in whole chunks but for the last one. */
  readonly dropped: number;
  /** What moved the last of its bytes. `"sendfile"` and `"splice"`: they never entered JavaScript. */
  readonly method: BroadcastMethod;
  /** Why it failed: `SyscallError`, `SlowTargetError`, or an error of the runtime. */
  readonly error?: Error | undefined;
}

/** What a finished broadcast reports. `bytes` counts those of the source, once. */
export interface BroadcastResult extends TransferResult {
  /** What carried the last chunk from the source. */
  method: BroadcastMethod;
  /**
   * The targets that were there at the start, and those that were there at the end. Of those who
   * joined and left in between, only `onTargetEnd` hears: they may be any number.
   */
  targets: TargetReport[];
}

/** One target's share of a chunk, on its way. */
export interface PendingWrite {
  /** How it travels. */
  readonly method: BroadcastMethod;
  /** Bytes that the target has not taken. */
  readonly left: number;
  /** Gives some to a descriptor without waiting: a count, 0 when the source fell short, or `-errno`. */
  give(fd: number): number;
  /** Gives some to a file, which may wait for a disk, in the thread. As {@linkcode give}. */
  giveToFile(writer: DescriptorWriter): Promise<number>;
  /** Takes out the next byte, for the runtime's own write. As {@linkcode give}. */
  takeByte(target: Uint8Array): number;
  /** Takes out the next bytes, at most `count`; fewer only when the source fell short. */
  takeOut(count: number): Uint8Array;
}

/** What a chunk needs to know of the target that it makes a pending for. */
export interface WriteTaker {
  /** Whether it may be given pages; else it gets bytes of JavaScript. */
  readonly splices: boolean;
  /** Whether it is a pipe, which has a call of its own. */
  readonly toPipe: boolean;
  /** Its own pipe, opened now if need be; `null` where none can be had that holds `least` bytes. */
  pipe(least: number): Pipe | null;
  /** Writes what there is room for, without waiting: a count, or `-errno`. */
  write(fd: number, bytes: Uint8Array): number;
}

/** A piece of the stream that all get. */
export interface Chunk {
  readonly length: number;
  readonly method: BroadcastMethod;
  /** Makes a target's pending. Those that take pages come first. */
  laneFor(taker: WriteTaker): PendingWrite;
  /** All have their writes. */
  settle(): void;
}

/** Where the chunks come from. */
export interface ChunkSource {
  /** Bytes in all; `Infinity` when nobody knows. */
  readonly total: number;
  /** Whether the source produces at its own pace, so that it, too, waits for slow targets. */
  readonly live: boolean;
  /** Settles once {@linkcode take} is worth a call; one at a time. Rejects when the source fails. */
  ready(): Promise<void>;
  /** The next chunk, of at most `count` bytes; `null` when there is none yet. */
  take(count: number): Chunk | "end" | null;
  /** The error for a pending that found less than its chunk has; of sources where that can be. */
  short?(): Error;
  /** Lets go of the source. */
  close(): Promise<void>;
}

const ACTION = "broadcast";

/** The names of {@linkcode BroadcastOptions}. */
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

/** What a timer can count. */
const MOST_MS = 2 ** 31 - 1;
