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
  // The time of a file from the future is replaced by the current one.
  const isFuture = Number(file.mtimeNs) / 1e6 > Date.now();
  if (isFuture || typeof settings.headers === "function") return describeFile(file, settings);
  let all = known.get(settings);
  if (all === undefined) known.set(settings, all = new Map());
  const key = file.coding === undefined ? file.name : `${file.coding}\0${file.name}`;
  const last = all.get(key);
  if (last !== undefined && areEqual(last.file, file)) return last.representation;
  const representation = describeFile(file, settings);
  if (all.size >= MOST) all.clear();
  all.set(key, { file, representation });
  return representation;
}

function areEqual(a: PlanFile, b: PlanFile): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}
