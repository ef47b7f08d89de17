/** How many descriptors this process may have, and how many it has. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { builtin } from "../builtins.ts";
import { available } from "../sys/libc.ts";
import * as raw from "../sys/raw/mod.ts";

const INFINITY = 2n ** 64n - 1n;

/** Descriptors that a program has, where nobody says. */
const ESTIMATE = 64;

/** The soft limit; `null` where there is none, or where nobody says. */
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

/** Descriptors that are open; an estimate where nobody says. */
export function openFiles(): number {
  if (platform.os !== "linux" || !available()) return ESTIMATE;
  try {
    return builtin("fs").readdirSync("/proc/self/fd").length;
  } catch {
    return ESTIMATE;
  }
}
