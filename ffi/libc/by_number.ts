/**
 * Calls functions that some C libraries lack through syscall(2). musl has preadv2(), pwritev2() and
 * statx() since 1.2.5 (2024); distributions with older versions are still in use.
 *
 * @module
 */

import { platform } from "../platform/mod.ts";
import type { Arg, Backend, CType } from "../types.ts";

/** How to call a function by its number. */
interface Way {
  readonly number: number;
  /** Types of the arguments after the number. */
  readonly args: readonly CType[];
  /** Index of an extra argument that the system call takes, always 0. */
  readonly extra?: number;
}

const { preadv2, pwritev2, statx } = platform.unwrapped;

/** The system call takes the upper half of the offset separately; 64-bit systems ignore it. */
const VECTORED = { args: ["i32", "address", "i32", "i64", "i64", "i32"], extra: 4 } as const;

const WAYS: Record<string, Way> = {
  preadv2: { number: preadv2, ...VECTORED },
  pwritev2: { number: pwritev2, ...VECTORED },
  statx: { number: statx, args: ["i32", "buffer", "i32", "u32", "address"] },
};

/** Returns a function that goes through syscall(2); `undefined` if that is impossible. */
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
