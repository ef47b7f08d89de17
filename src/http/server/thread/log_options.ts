/** Options of the access log. @module */

import { describe } from "../../../options.ts";
import { between } from "../control/limits.ts";

/** The access log. */
export interface LogOptions {
  /** Descriptor open for writing. It is duplicated; you still own it. */
  descriptor: number;
  /** `"combined"` as Apache and nginx, `"json"`: one object per line. @default {"combined"} */
  format?: "combined" | "json" | undefined;
}

/** Checks the options. */
export function logOf({ descriptor, format = "combined" }: LogOptions): Required<LogOptions> {
  if (format !== "combined" && format !== "json") {
    throw new TypeError(`Cannot serve files: log.format is ${describe(format)}`);
  }
  return { descriptor: between(descriptor, "log.descriptor", 0, 0x7fff_ffff), format };
}
