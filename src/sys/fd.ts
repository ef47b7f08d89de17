/** Descriptors that the caller lends. @module */

import { describe, MAX_INT } from "./arguments.ts";

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
