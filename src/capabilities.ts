/** What works here, as data. @module */

import { libraryName, missingSymbols } from "../ffi/libc/mod.ts";
import { backend, runtime } from "../ffi/mod.ts";
import { system } from "../ffi/platform/mod.ts";
import { type FaultGuardState, faultGuardState } from "./memory/fault_guard/guard.ts";
import { libc } from "./sys/libc.ts";

/** The answer of {@linkcode capabilities}; plain data, fit for JSON. */
export interface Capabilities {
  /** Whether the operating system can be called. Without it, what can be copied is copied. */
  readonly supported: boolean;
  /** Why it cannot, and what to do about it; `null` when it can. */
  readonly reason: string | null;
  /** The runtime, by its own name and version. */
  readonly runtime: { readonly name: string; readonly version: string };
  /** How foreign functions are called: `"koffi"`, `"node"`, `"bun"` or `"deno"`; `null` when they are not. */
  readonly backend: string | null;
  /** Operating system and processor, such as `"linux-x64"`. */
  readonly system: string;
  /** The C library, by the name under which it was found; `null` when none was. */
  readonly libc: string | null;
  /** Functions that this C library lacks; the calls that need them throw `UnsupportedError`. */
  readonly missing: readonly string[];
  /** Whether a mapped file that somebody truncates is guarded against. */
  readonly faultGuard: FaultGuardState;
}

/**
 * Tells whether, and by what, system calls can be made here. Never throws.
 *
 * The first call loads the backend and binds the C library, which takes up to 30 ms.
 *
 * @example Explain why files are copied
 * ```ts ignore
 * const { supported, reason } = capabilities();
 * if (!supported) console.warn(reason);
 * ```
 */
export function capabilities(): Capabilities {
  const reason = refusal();
  const supported = reason === null;
  return {
    supported,
    reason,
    runtime: runtime(),
    backend: supported ? backend().name : null,
    system,
    libc: supported ? libraryName() : null,
    missing: supported ? [...missingSymbols()] : [],
    faultGuard: supported
      ? faultGuardState()
      : { state: "unavailable", reason: "the system cannot be called" },
  };
}

function refusal(): string | null {
  try {
    libc();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
