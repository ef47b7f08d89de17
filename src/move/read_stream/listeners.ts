/** Listeners of a file stream that decide where its bytes go. @module */

import type { ReadStream } from "node:fs";
import { builtin } from "../../builtins.ts";

/** A listener of any event. */
export type Listener = Parameters<ReadStream["on"]>[1];

/** Whether listeners of `event` receive the bytes. */
export function carriesBytes(event: unknown): boolean {
  return event === "data" || event === "readable";
}

/** Wraps a listener; `removeListener()` finds it by either function, as with `once()`. */
export function wrap(listener: Listener): Listener {
  const wrapper = (...args: unknown[]) => (listener as (...args: unknown[]) => void)(...args);
  return Object.assign(wrapper, { listener });
}

/** Gives a subclass the aliases of a stream's methods, and the name of its base. */
export function hide(prototype: ReadStream, base: unknown): void {
  for (
    const [name, value] of [
      ["addListener", prototype.on],
      ["off", prototype.removeListener],
      // `inspect()` and `constructor` show the original class.
      ["constructor", base],
    ] as const
  ) {
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  }
}

/** Whether `target` is a socket that may become a destination; it may still be connecting. */
export function isUnencryptedSocket(target: unknown): boolean {
  return target instanceof builtin("net").Socket && !(target as { encrypted?: boolean }).encrypted;
}
