/** The bound C library. Turns a failure to bind it into the error that users see. @module */

import { type Libc, libc as bound } from "../../ffi/libc/mod.ts";
import { backend, tooOld } from "../../ffi/mod.ts";
import { debug } from "../debug.ts";
import { UnsupportedError } from "../errors.ts";

let calls: Libc | undefined;

/**
 * Returns the bound functions.
 *
 * @throws {UnsupportedError} When no backend is available: an unsupported system,
 * `SLUICE_FFI=none`, koffi not installed, or a missing permission. The message names the remedy.
 */
export function libc(): Libc {
  return calls ?? first();
}

function first(): Libc {
  try {
    calls = bound();
    debug(() => `foreign calls by ${backend().name}`);
    return calls;
  } catch (cause) {
    debug(() => `no foreign calls: ${(cause as Error).message}`);
    throw new UnsupportedError({
      action: "call the operating system",
      reason: explain(cause as Error),
      cause,
    });
  }
}

/** Adds the flag that grants the permission, which the runtimes' messages often omit. */
function explain({ name, message }: Error): string {
  if (/ERR_ACCESS_DENIED/.test(message)) {
    return "foreign functions are not permitted; start Node.js with --allow-ffi (for node:ffi) or " +
      "--allow-addons (for koffi), or without --permission";
  }
  if (name === "NotCapable" || /NotCapable/.test(message)) {
    return "foreign functions are not permitted; start Deno with --allow-ffi (without a path)";
  }
  // With a path, Deno looks for the library in the current folder.
  const hint = /Could not open library/.test(message)
    ? "; if Deno was started with --allow-ffi=PATH, leave the path out"
    : "";
  // These messages start with "Cannot ...", which reads badly after a colon.
  return message.slice(0, 1).toLowerCase() + message.slice(1) + hint;
}

/**
 * Refuses a runtime that is too old, where an operation would otherwise fall back, or fail in words
 * that do not help.
 *
 * @throws {UnsupportedError} Naming the version that is needed.
 */
export function requireRuntime(action: string): void {
  const reason = tooOld();
  if (reason !== undefined) throw new UnsupportedError({ action, reason });
}

/** Why operations use their portable fallback, where foreign calls are impossible. */
export const NO_CALLS = "foreign calls are unavailable here";

/** Whether foreign calls are possible. If not, operations use their portable fallback. */
export function available(): boolean {
  try {
    libc();
    return true;
  } catch {
    return false;
  }
}
