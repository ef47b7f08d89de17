/** Calls that may wait for a disk. @module */

import { UnsupportedError } from "../../../errors.ts";
import { runCopying } from "../../../threads/blocking/blocking.ts";
import { type BlockingCalls, CALLS } from "../../../threads/blocking/blocking_calls.ts";

/** A call by name, with its arguments. */
export type BlockingCall = {
  [C in keyof BlockingCalls]: [call: C, ...args: Parameters<BlockingCalls[C]>];
}[keyof BlockingCalls];

/** Runs a call in the copying thread; without permission for Workers, in this thread. */
export async function runOffThread(...call: BlockingCall): Promise<number> {
  return await inThread(...call) ?? runInline(...call);
}

/** Runs a call in the copying thread; `undefined` without permission for Workers. */
export async function inThread(...call: BlockingCall): Promise<number | undefined> {
  try {
    const [name, ...args] = call;
    return await runCopying(name, ...args as Parameters<BlockingCalls[typeof name]>);
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined;
    throw error;
  }
}

/** Runs a call on this thread. */
export function runInline(...[name, ...args]: BlockingCall): number {
  return (CALLS[name] as (...args: unknown[]) => number)(...args);
}
