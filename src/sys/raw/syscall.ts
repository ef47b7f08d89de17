/** Calls that libc does not wrap. @module */

import { addressOf, fold } from "../../../ffi/libc/mod.ts";
import { errnoNumber } from "../../errors.ts";
import { isUint8Array, ownBytes } from "../../bytes.ts";
import { libc } from "../libc.ts";

/**
 * The arrays of the last call. Without this reference, they could be collected while C uses them.
 */
const held: { args: readonly Argument[] } = { args: [] };

type Argument = number | bigint | Uint8Array | null;

/**
 * `syscall(number, ...args)`, with at most six arguments; `-ENOSYS` if the system lacks the call.
 */
export function syscall(number: number, ...args: Argument[]): number {
  // syscall(2) on macOS uses other numbers: a -1 in the table must not become a call.
  if (number < 0) return -errnoNumber("ENOSYS");
  held.args = args;
  const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n] = args.map(word);
  return fold(libc().syscall(BigInt(number), a, b, c, d, e, f));
}

function word(argument: Argument): bigint {
  if (isUint8Array(argument)) return addressOf(ownBytes(argument));
  return BigInt(argument ?? 0);
}
