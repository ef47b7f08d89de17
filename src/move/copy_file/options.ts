/** Options of `copyFile`. @module */

import { type Checked, type Names, ownOptions } from "../../checked.ts";
import {
  checkFlow,
  checkObject,
  FLOW_OPTIONS,
  type FlowOptions,
  mustBe,
  oneOf,
} from "../../options.ts";
import type { CopyMethod } from "./data.ts";

/** Options of `copyFile`. */
export interface CopyOptions extends FlowOptions {
  /**
   * `"auto"` takes what is fastest here, and what works. Anything else is used, or the copy fails:
   * `"reflink"` shares the blocks (btrfs, XFS, bcachefs); `"range"` is copy_file_range(2);
   * `"sendfile"`; `"splice"` goes through a pipe; `"direct"` bypasses the page cache with `O_DIRECT`;
   * `"mmap"` maps the source and writes from there; `"copy"` reads and writes.
   *
   * @default {"auto"}
   */
  method?: CopyMethod | "auto" | undefined;
  /**
   * `"drop"` leaves in the page cache what was there before, and adds neither file to it.
   *
   * @default {"keep"}
   */
  cache?: "keep" | "drop" | undefined;
  /**
   * Whether the target has a temporary name in the same folder until it is complete. Without it an
   * existing target is emptied at once and filled in place: it keeps its owner, its other names and
   * whoever has it open, and others see half a file.
   *
   * @default {true}
   */
  atomic?: boolean | undefined;
  /** Whether a target that exists is replaced; `EEXIST` otherwise. @default {true} */
  overwrite?: boolean | undefined;
  /**
   * Whether the target gets the permission bits of the source, as with `fs.copyFile`, or those of any
   * new file.
   *
   * @default {true}
   */
  mode?: boolean | undefined;
  /** Whether the target gets the times of the source, to the microsecond. @default {false} */
  times?: boolean | undefined;
  /** Whether the disk must have the bytes before the target gets its name. @default {false} */
  durable?: boolean | undefined;
}

/** Whether nothing is asked for but a copy, in the usual way. */
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
  checkObject(options, action);
  checkFlow(options, action);
  const { method, cache, atomic, overwrite, mode, times, durable } = options;
  oneOf(method, METHODS, "method", action);
  const known = cache === undefined || cache === "keep" || cache === "drop";
  mustBe(known, action, "cache", '"keep" or "drop"', cache);
  for (const [name, value] of Object.entries({ atomic, overwrite, mode, times, durable })) {
    mustBe(value === undefined || typeof value === "boolean", action, name, "a boolean", value);
  }
  return options;
}
