/** What every part of a transfer works on. @module */

import { type Checked, type Names, ownOptions } from "../../checked.ts";
import { EAGAIN, EINTR, FINAL_REFUSALS } from "../../errno.ts";
import { errnoNumber, SyscallError, type TruncatedError } from "../../errors.ts";
import {
  checkFlow,
  checkRange,
  describe,
  FLOW_OPTIONS,
  type FlowOptions,
  RANGE_OPTIONS,
  type RangeOptions,
  type TransferResult,
  wholeNumber,
} from "../../options.ts";
import type { TransferProgress } from "../engine/progress.ts";

/** How bytes can be made to move: see {@linkcode TransferOptions.method}. */
export type TransferMethod = "range" | "sendfile" | "splice" | "copy";

/** Options of {@linkcode transfer}. */
export interface TransferOptions extends RangeOptions, FlowOptions {
  /** Alias of `start`; pass only one of the two. */
  offset?: number | undefined;
  /**
   * Offset of the first byte in the target, a safe integer >= 0; for files that are not open for
   * appending. The file position of the target is then neither used nor moved.
   *
   * @default {the file position of the target, which moves}
   */
  targetOffset?: number | undefined;
  /**
   * `"auto"` starts with the method that suits both ends, and switches to others if it is refused.
   * With any other value, that method is used, or the transfer fails: `"range"` is
   * copy_file_range(2), from file to file; `"sendfile"` needs a file or a device as source;
   * `"splice"` goes through a pipe, and not to or from blocking sockets; `"copy"` reads and writes.
   *
   * @default {"auto"}
   */
  method?: TransferMethod | "auto" | undefined;
  /**
   * Which bytes arrive if a source file is overwritten in place meanwhile. `"shared"`: pipes and
   * sockets get the file's own pages, so possibly a mix of old and new bytes. `"copy"`: each byte
   * as it was when it was read.
   *
   * @default {"shared"}
   */
  stability?: "shared" | "copy" | undefined;
}

/** Result of {@linkcode transfer}. */
export interface TransferReport extends TransferResult {
  /** What moved the last bytes: a {@linkcode TransferMethod}, or `"none"` if there were none. */
  method: TransferMethod | "none";
  /** All methods that moved bytes, in the order of use. */
  methods: TransferMethod[];
}

const ACTION = "transfer bytes";

/** Names of the options in {@linkcode TransferOptions}. */
export const TRANSFER_OPTIONS: Names<TransferOptions> = {
  ...RANGE_OPTIONS,
  ...FLOW_OPTIONS,
  offset: true,
  targetOffset: true,
  method: true,
  stability: true,
};

/** Checks the options, and resolves the alias `offset`. */
export function checkTransfer(given: TransferOptions): Checked<TransferOptions> {
  const options = ownOptions(given, TRANSFER_OPTIONS);
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${ACTION}: options must be an object, not ${describe(options)}`);
  }
  const { offset, targetOffset, method, stability } = options;
  if (offset !== undefined && options.start !== undefined) {
    throw new TypeError(`Cannot ${ACTION}: give start or offset, not both`);
  }
  const start = offset === undefined ? options.start : wholeNumber(offset, "offset", ACTION);
  const checked = { ...options, start };
  checkRange(checked, ACTION);
  checkFlow(checked, ACTION);
  if (targetOffset !== undefined) wholeNumber(targetOffset, "targetOffset", ACTION);
  oneOf(method, ["auto", ...Object.keys(SYSCALLS)], "method");
  oneOf(stability, ["shared", "copy"], "stability");
  if (stability === "copy" && (method === "sendfile" || method === "splice")) {
    throw new TypeError(`Cannot ${ACTION}: method "${method}" shares pages, stability says "copy"`);
  }
  return checked;
}

function oneOf(value: unknown, known: readonly string[], name: string): void {
  if (value === undefined || known.includes(value as string)) return;
  throw new TypeError(
    `Cannot ${ACTION}: ${name} must be one of ${known.join(", ")}, not ${describe(value)}`,
  );
}

/** Most bytes that a checked range allows, where nobody knows how many there are. */
export function mostBytes({ start = 0, end, length }: RangeOptions): number {
  return end === undefined ? length ?? Infinity : end - start + 1;
}

/**
 * Whether the next method may be asked after this answer of one that is not the last: `EINVAL`,
 * `ENOSYS`, `EXDEV`, `EOPNOTSUPP`, `EPERM`, `EBADF` for a file that appends, `ETXTBSY`, `EIO` of network
 * file systems ... and 0 of a call that has moved nothing, as copy_file_range(2) on Linux 5.3 to
 * 5.18 for files that are made up when they are read. What is more than that the last one meets again.
 */
export function isRefusal(result: number): boolean {
  return !FINAL_REFUSALS.has(result);
}

/** Whether a call was interrupted, or would have to wait. */
export function isTransient(result: number): boolean {
  return result === EAGAIN || result === EINTR;
}

/** The call that carries a method out. */
const SYSCALLS: Readonly<Record<TransferMethod, string>> = {
  range: "copy_file_range",
  sendfile: "sendfile",
  splice: "splice",
  copy: "write",
};

/** What mmap(2) fails with, and write(2) to a file never. */
const OF_MMAP = new Set(["ENOMEM", "ENODEV", "EACCES", "EOVERFLOW"].map(errnoNumber));

/** The error for a failed call. */
export function failure(
  result: number,
  method: string,
  names: string,
  bytesMoved: number,
): SyscallError {
  const action = `transfer ${names}`;
  const maps = method === "mmap" && OF_MMAP.has(-result);
  const syscall = maps ? "mmap" : SYSCALLS[method as TransferMethod] ?? "write";
  return new SyscallError({ syscall, errno: -result, action, bytesMoved });
}

/** The error for a file that is shorter than it was. */
export function truncated(names: string, progress: TransferProgress): TruncatedError {
  return progress.truncated(`transfer ${names}`);
}

/** Waits until `maxRate` allows more, or the signal fires. */
export async function pause(progress: TransferProgress): Promise<void> {
  await progress.unlessAborted(new Promise((resolve) => setTimeout(resolve, progress.pauseMs())));
}
