/** What every part of a transfer works on. @module */

import { type Checked, type Names, ownOptions } from "../../checked.ts";
import {
  checkFlow,
  checkFollow,
  checkObject,
  checkRange,
  FLOW_OPTIONS,
  type FlowOptions,
  oneOf,
  RANGE_OPTIONS,
  type RangeOptions,
  type TransferResult,
  wholeNumber,
} from "../../options.ts";
import { METHODS, type TransferMethod } from "../engine/driver.ts";

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
  /**
   * Whether to go on with what is appended to a source file, as `tail -F` does; not with
   * `targetOffset`, and only with method `"auto"`.
   *
   * The transfer then ends when `length` bytes or byte `end` have been moved, when the file has no
   * name any more and all of it has been moved, when the signal fires, or when the target is closed:
   * within a second after a reset, but a peer that only ends its side may still read, so it shows at
   * the next byte. If the file gets shorter, the transfer goes on at its first byte. If `source` is a
   * path and another file gets that name (log rotation), the rest of the old one goes first, and then
   * the new one from its first byte on. Bytes that are cut off, or removed with a name that another
   * file gets, before they have been moved are missing.
   *
   * @default {false}
   */
  follow?: boolean | undefined;
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
  follow: true,
  offset: true,
  targetOffset: true,
  method: true,
  stability: true,
};

/** Checks the options, and resolves the alias `offset`. */
export function checkTransfer(given: TransferOptions): Checked<TransferOptions> {
  const options = ownOptions(given, TRANSFER_OPTIONS);
  checkObject(options, ACTION);
  const { offset, targetOffset, method, stability } = options;
  if (offset !== undefined && options.start !== undefined) {
    throw new TypeError(`Cannot ${ACTION}: give start or offset, not both`);
  }
  const start = offset === undefined ? options.start : wholeNumber(offset, "offset", ACTION);
  const checked = { ...options, start };
  checkRange(checked, ACTION);
  checkFlow(checked, ACTION);
  if (targetOffset !== undefined) wholeNumber(targetOffset, "targetOffset", ACTION);
  checkFollow(checked, ACTION);
  oneOf(method, ["auto", ...METHODS], "method", ACTION);
  oneOf(stability, ["shared", "copy"], "stability", ACTION);
  if (stability === "copy" && (method === "sendfile" || method === "splice")) {
    throw new TypeError(`Cannot ${ACTION}: method "${method}" shares pages, stability says "copy"`);
  }
  return checked;
}
