/**
 * `NODE_DEBUG=sluice`: prints each decision of the library on standard error, one a line.
 *
 * @module
 */

import { setting } from "../ffi/mod.ts";
import { builtin } from "./builtins.ts";

let enabled: boolean | undefined;

/**
 * Prints a line such as `SLUICE 4711: sendFile: 1048576 bytes by sendfile in 3 ms`.
 *
 * Calls `line` only if the list in `NODE_DEBUG` contains `sluice` or a pattern that matches it, as
 * Node.js's `util.debuglog()` does. Prints nothing on Deno without `--allow-env`.
 */
export function debug(line: () => string): void {
  enabled ??= isListed(setting("NODE_DEBUG") ?? "");
  if (!enabled) return;
  const { pid, stderr } = builtin("process");
  stderr.write(`SLUICE ${pid}: ${line()}\n`);
}

function isListed(list: string): boolean {
  return list.split(",").some((entry) => {
    const pattern = entry.trim().replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
    return new RegExp(`^${pattern}$`, "i").test("sluice");
  });
}
