/**
 * Telling of mappings that were dropped without being closed.
 *
 * They stay mapped: an array of the runtime that was transferred may show them, and nobody can tell.
 * A mapping is not dropped while one of its views is reachable.
 *
 * @module
 */

import { setting } from "../../../ffi/mod.ts";
import { builtin } from "../../builtins.ts";

interface Origin {
  readonly name: string;
  readonly length: number;
  /** Where it was opened, when `SLUICE_DEBUG` is set. */
  readonly stack: string | undefined;
}

let registry: FinalizationRegistry<Origin> | undefined;
let debug: boolean | undefined;
let warned = false;

/** Begins to watch a mapping. */
export function watchDropped(mapping: object, name: string, length: number): void {
  debug ??= !["", "0", undefined].includes(setting("SLUICE_DEBUG"));
  const stack = debug ? new Error().stack?.replace(/^[^\n]*\n/, "") : undefined;
  registry ??= new FinalizationRegistry(warn);
  registry.register(mapping, { name, length, stack }, mapping);
}

/** Ends the watch: it was closed. */
export function unwatchDropped(mapping: object): void {
  registry?.unregister(mapping);
}

/** Once, and for each with its place when that is known. */
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
