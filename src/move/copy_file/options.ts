/** Options of `copyFile`. @module */

import { builtin } from "../../builtins.ts";
import { type Checked, type Names, ownOptions } from "../../checked.ts";
import { errnoNumber, SyscallError } from "../../errors.ts";
import {
  checkFlow,
  checkObject,
  describe,
  FLOW_OPTIONS,
  type FlowOptions,
  mustBe,
  oneOf,
} from "../../options.ts";
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

/** Options of `copyFileSync`: see {@linkcode CopyOptions}. */
export interface CopySyncOptions
  extends Pick<CopyOptions, "overwrite" | "mode" | "times" | "durable"> {}

/** Whether the options request a usual copy. */
export function isPlain(options: CopyOptions): boolean {
  const { method = "auto", cache = "keep", atomic = true, overwrite = true } = options;
  const { chunkSize, durable = false, maxRate, times = false } = options;
  return method === "auto" && cache === "keep" && atomic && overwrite && !times && !durable &&
    chunkSize === undefined && maxRate === undefined;
}

/** Whether one call can make the copy: {@linkcode isPlain}, or without `overwrite`. */
export function isSimple(options: CopyOptions): boolean {
  return isPlain(options.overwrite === false ? { ...options, overwrite: true } : options);
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

/** The error for a file that cannot be copied; `action` follows "Cannot". */
export function refusal(code: string, action: string): SyscallError {
  return new SyscallError({ syscall: "open", errno: errnoNumber(code), action });
}

/** Checks a path, and converts a `file:` URL. */
export function pathOf(path: string | URL, name: string): string {
  if (path instanceof URL) return builtin("url").fileURLToPath(path);
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return path;
  throw new TypeError(
    `Cannot copy a file: ${name} must be a path or a file: URL, not ${describe(path)}`,
  );
}
