/**
 * Warns about mappings that were dropped without `close()`.
 *
 * They stay mapped, because an array that was transferred may still show them, and nothing reports
 * that. A mapping counts as dropped only once none of its views is reachable.
 *
 * @module
 */

import { setting } from "../../../ffi/mod.ts";
import { builtin } from "../../builtins.ts";

interface Origin {
  readonly name: string;
  readonly length: number;
  /** Stack of the call that opened it, if `SLUICE_DEBUG` is set. */
  readonly stack: string | undefined;
}

let registry: FinalizationRegistry<Origin> | undefined;
let debug: boolean | undefined;
let warned = false;

/** Starts to watch a mapping. */
export function watchDropped(mapping: object, name: string, length: number): void {
  debug ??= !["", "0", undefined].includes(setting("SLUICE_DEBUG"));
  const stack = debug ? new Error().stack?.replace(/^[^\n]*\n/, "") : undefined;
  registry ??= new FinalizationRegistry(warn);
  registry.register(mapping, { name, length, stack }, mapping);
}

/** Stops the watch when the mapping is closed. */
export function unwatchDropped(mapping: object): void {
  registry?.unregister(mapping);
}

/** Warns once; if the stack is known, once for each mapping. */
function warn({ name, length, stack }: Origin): void {
  if (warned && stack === undefined) return;
  warned = true;
  const where = stack === undefined ? "; SLUICE_DEBUG=1 tells where" : `; it was opened\n${stack}`;
  builtin("process").emitWarning(
    `A mapping of ${length} bytes of ${name} was dropped without close(): its memory and its ` +
      `descriptor are kept until the process ends${where}`,
    { type: "SluiceWarning", code: "SLUICE_DROPPED_MAPPING" },
  );
}
