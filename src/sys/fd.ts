/** Descriptors that the caller lends, and duplicates of them. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { describe as describeAny } from "../options.ts";
import { describe, integer, MAX_INT } from "./arguments.ts";
import { check } from "./check.ts";
import * as raw from "./raw/mod.ts";

/**
 * A descriptor number, or an object that holds one: a `FileHandle` of `node:fs/promises` qualifies.
 *
 * The library borrows the descriptor for the call and never closes it.
 */
export type FdLike = number | { readonly fd: number };

/**
 * Returns the descriptor number of `source`.
 *
 * @param source The descriptor, or an object whose `fd` is read now.
 * @param role Purpose of the descriptor, for the error message.
 * @returns An integer >= 0.
 *
 * @throws {TypeError} When `source` holds no such integer: the `fd` of a closed `FileHandle` is -1.
 */
export function fdOf(source: FdLike, role: string = "file"): number {
  const fd = typeof source === "object" ? source?.fd : source;
  if (!Number.isInteger(fd) || fd < 0 || fd > MAX_INT) {
    throw new TypeError(
      `Cannot use ${describe(fd)} as the ${role} descriptor: expected an integer >= 0`,
    );
  }
  return fd;
}

/**
 * Returns the descriptor number of an argument that may also be of another kind.
 *
 * @param role Purpose of the descriptor: see {@linkcode fdOf}.
 * @param action For error messages; follows "Cannot".
 * @param expected All that the argument may be, for error messages.
 *
 * @throws {TypeError} When `value` is neither a number nor an object with an `fd`.
 */
export function fdIn(value: unknown, role: string, action: string, expected: string): number {
  if (typeof value === "number") return fdOf(value, role);
  if (typeof value === "object" && value !== null && "fd" in value) {
    return fdOf(value as FdLike, role);
  }
  throw new TypeError(`Cannot ${action} ${describeAny(value)}: expected ${expected}`);
}

/**
 * Duplicates a descriptor. The copy is closed in programs that the process starts
 * (`F_DUPFD_CLOEXEC`).
 *
 * Both numbers share one open file: its position, `O_NONBLOCK` and all other status flags.
 *
 * @param fd Descriptor to duplicate.
 * @param minimum Lowest number that the copy may get. Default: 0.
 * @returns The new descriptor; the caller closes it.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When `minimum` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EBADF` when `fd` is not open; `EMFILE` when no number is left; `EINVAL`
 * when `minimum` is above the limit of the process.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/F_DUPFD.2const.html}
 */
export function dupCloexec(fd: FdLike, minimum: number = 0): number {
  const number = fdOf(fd);
  integer(minimum, "minimum", 0, MAX_INT);
  return check(
    raw.fcntl(number, platform.fcntl.DUPFD_CLOEXEC, minimum),
    "fcntl",
    () => `duplicate fd ${number}`,
  );
}
