/**
 * Functions that some C libraries lack, by way of syscall(2): musl has preadv2(), pwritev2() and
 * statx() since 1.2.5 (2024), and distributions with older ones are in use.
 *
 * @module
 */

import { platform } from "../platform/mod.ts";
import type { Arg, Backend, CType } from "../types.ts";

/** A function by its number. */
interface Way {
  readonly number: number;
  /** What stands behind the number. */
  readonly args: readonly CType[];
  /** Where the call takes one argument more, which is 0. */
  readonly extra?: number;
}

const { preadv2, pwritev2, statx } = platform.unwrapped;

/** The call takes the upper half of the place apart, which 64-bit systems ignore. */
const VECTORED = { args: ["i32", "address", "i32", "i64", "i64", "i32"], extra: 4 } as const;

const WAYS: Record<string, Way> = {
  preadv2: { number: preadv2, ...VECTORED },
  pwritev2: { number: pwritev2, ...VECTORED },
  statx: { number: statx, args: ["i32", "buffer", "i32", "u32", "address"] },
};

/** The function of that name, made of syscall(2); `undefined` where that is not possible. */
export function byNumber(
  ffi: Backend,
  library: string,
  name: string,
): ((...args: Arg<CType>[]) => unknown) | undefined {
  const way = Object.hasOwn(WAYS, name) ? WAYS[name]! : undefined;
  if (way === undefined || way.number < 0) return undefined;
  const { number, args, extra } = way;
  const call = ffi.bind(library, { syscall: { args: ["i64", ...args], returns: "i64" } })
    .syscall as (...args: Arg<CType>[]) => unknown;
  const first = BigInt(number);
  if (extra === undefined) return (...given) => call(first, ...given);
  return (...given) => call(first, ...given.slice(0, extra), 0n, ...given.slice(extra));
}
