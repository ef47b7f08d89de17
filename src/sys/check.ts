/** Turns the kernel's `-errno` into exceptions. @module */

import { missingSymbols } from "../../ffi/libc/mod.ts";
import { errnoName, SyscallError, UnsupportedError } from "../errors.ts";

/**
 * Returns `result`, or throws if it is a negative errno.
 *
 * `action` is a closure, so the successful path builds no string. A call that this C library lacks
 * fails with `ENOSYS`, which becomes an {@linkcode UnsupportedError}.
 */
export function check(result: number, syscall: string, action: () => string): number;
/** The same, for a call that returns an object such as a region. */
export function check<T extends object>(
  result: T | number,
  syscall: string,
  action: () => string,
): T;
export function check(
  result: object | number,
  syscall: string,
  action: () => string,
): object | number {
  if (typeof result === "object" || result >= 0) return result;
  const errno = -result;
  if (errnoName(errno) === "ENOSYS" && missingSymbols().has(syscall)) {
    throw new UnsupportedError({
      action: action(),
      reason: `this C library has no ${syscall}(); use a newer one`,
    });
  }
  throw new SyscallError({ syscall, errno, action: action() });
}
