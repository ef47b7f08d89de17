/** Remembers how files were described: equal facts lead to equal heads. @module */

import { describeFile, type Representation } from "../rules/representation.ts";
import type { Settings } from "../rules/settings.ts";
import type { PlanFile } from "../rules/types.ts";

/** Most descriptions that are remembered for each folder. */
const MOST = 256;

interface Known {
  readonly file: PlanFile;
  readonly representation: Representation;
}

const known = new WeakMap<Settings, Map<string, Known>>();

/**
 * Like {@linkcode describeFile}, but returns the same description again for the same facts. The
 * function of the `headers` setting is called each time.
 */
export function describeOnce(file: PlanFile, settings: Settings): Representation {
  if (typeof settings.headers === "function") return describeFile(file, settings);
  let all = known.get(settings);
  if (all === undefined) known.set(settings, all = new Map());
  const key = file.coding === undefined ? file.name : `${file.coding}\0${file.name}`;
  const nowMs = Date.now();
  const last = all.get(key);
  if (last !== undefined && areEqual(last.file, file) && isPast(last.representation, nowMs)) {
    return last.representation;
  }
  const representation = describeFile(file, settings, nowMs);
  // The time of a file from the future is replaced by the current one.
  if (file.mtimeNs > BigInt(nowMs) * 1_000_000n) return representation;
  if (all.size >= MOST) all.clear();
  all.set(key, { file, representation });
  return representation;
}

/** Whether the description does not depend on the current time. */
function isPast({ modified = 0 }: Representation, nowMs: number): boolean {
  return modified * 1000 <= nowMs;
}

function areEqual(a: PlanFile, b: PlanFile): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}
