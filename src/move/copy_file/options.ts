/** Options of `copyFile`. @module */

import { type Checked, type Names, ownOptions } from "../../checked.ts";
import { checkFlow, describe, FLOW_OPTIONS, type FlowOptions } from "../../options.ts";
import type { CopyMethod } from "./data.ts";

/** Options of `copyFile`. */
export interface CopyOptions extends FlowOptions {
  /**
   * `"auto"` uses the fastest method that works here. With any other value, that method is used, or
   * the copy fails: `"reflink"` shares the blocks (btrfs, XFS, bcachefs); `"range"` is
   * copy_file_range(2); `"sendfile"`; `"splice"` goes through a pipe; `"direct"` bypasses the page
   * cache with `O_DIRECT`; `"mmap"` maps the source and writes from the mapping; `"copy"` reads and
   * writes.
   *
   * @default {"auto"}
   */
  method?: CopyMethod | "auto" | undefined;
  /**
   * `"drop"` keeps pages that were cached before, and adds neither file to the page cache.
   *
   * @default {"keep"}
   */
  cache?: "keep" | "drop" | undefined;
  /**
   * Whether the target has a temporary name in the same folder until it is complete. If not, an
   * existing target is emptied at once and filled in place. It keeps its owner, its other names and
   * its open descriptors, but others see an incomplete file.
   *
   * @default {true}
   */
  atomic?: boolean | undefined;
  /** Whether an existing target is replaced; `EEXIST` otherwise. @default {true} */
  overwrite?: boolean | undefined;
  /**
   * Whether the target gets the permission bits of the source, as with `fs.copyFile`, or those of
   * any new file.
   *
   * @default {true}
   */
  mode?: boolean | undefined;
  /** Whether the target gets the times of the source, to the microsecond. @default {false} */
  times?: boolean | undefined;
  /** Whether the target gets its name only once its bytes are on the disk. @default {false} */
  durable?: boolean | undefined;
}

/** Whether the options request a usual copy. */
export function isPlain(options: CopyOptions): boolean {
  const { method = "auto", cache = "keep", atomic = true, overwrite = true } = options;
  const { chunkSize, durable = false, maxRate, times = false } = options;
  return method === "auto" && cache === "keep" && atomic && overwrite && !times && !durable &&
    chunkSize === undefined && maxRate === undefined;
}

const NAMES: Names<CopyOptions> = {
  ...FLOW_OPTIONS,
  method: true,
  cache: true,
  atomic: true,
  overwrite: true,
  mode: true,
  times: true,
  durable: true,
};

const METHODS = ["auto", "reflink", "range", "sendfile", "splice", "direct", "mmap", "copy"];

/** Checks the options. */
export function checkOptions(given: CopyOptions): Checked<CopyOptions> {
  const action = "copy a file";
  const options = ownOptions(given, NAMES);
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${action}: options must be an object, not ${describe(options)}`);
  }
  checkFlow(options, action);
  const { method, cache, atomic, overwrite, mode, times, durable } = options;
  if (method !== undefined && !METHODS.includes(method)) {
    const known = METHODS.join(", ");
    throw new TypeError(
      `Cannot ${action}: method must be one of ${known}, not ${describe(method)}`,
    );
  }
  if (cache !== undefined && cache !== "keep" && cache !== "drop") {
    throw new TypeError(
      `Cannot ${action}: cache must be "keep" or "drop", not ${describe(cache)}`,
    );
  }
  for (const [name, value] of Object.entries({ atomic, overwrite, mode, times, durable })) {
    if (value !== undefined && typeof value !== "boolean") {
      throw new TypeError(`Cannot ${action}: ${name} must be a boolean, not ${describe(value)}`);
    }
  }
  return options;
}
