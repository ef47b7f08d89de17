/** How many descriptors this process may have, and how many it has. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { builtin } from "../builtins.ts";
import { available } from "../sys/libc.ts";
import * as raw from "../sys/raw/mod.ts";

const INFINITY = 2n ** 64n - 1n;

/** Assumed number of open descriptors, if the system does not report it. */
const ESTIMATE = 64;

/** The soft limit; `null` if there is none, or the system does not report it. */
export function openFilesLimit(): number | null {
  if (platform.os === "linux" && available()) {
    const out = new BigUint64Array(2);
    const known = raw.getrlimit(platform.resource.NOFILE, out) === 0 && out[0] !== INFINITY;
    return known ? Number(out[0]) : null;
  }
  // Not by /proc: Deno asks for every permission there.
  try {
    const { report } = builtin("process");
    const { userLimits } = report!.getReport() as {
      userLimits?: { open_files?: { soft: unknown } };
    };
    const soft = userLimits?.open_files?.soft;
    return typeof soft === "number" ? soft : null;
  } catch {
    return null;
  }
}

/** Number of open descriptors; an estimate if the system does not report it. */
export function openFiles(): number {
  if (platform.os !== "linux" || !available()) return ESTIMATE;
  try {
    return builtin("fs").readdirSync("/proc/self/fd").length;
  } catch {
    return ESTIMATE;
  }
}
