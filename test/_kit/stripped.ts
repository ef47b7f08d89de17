/** Strips the types of all sources once for each run, so that Node.js need not in each process. @module */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const STRIP = fileURLToPath(new URL("strip_types.js", import.meta.url));
const MODULES = new URL("modules.js", import.meta.url).href;

/**
 * The environment that has Node.js load this checkout's modules from a folder below `folder`. A run that
 * a test starts shares the sources of the run around it.
 */
export function strippedSources(folder: string): Record<string, string> {
  const { SLUICE_TEST_MODULES: outer, NODE_OPTIONS: options = "" } = process.env;
  if (outer !== undefined && existsSync(outer)) return {};
  const target = join(folder, "stripped");
  if (!existsSync(target)) {
    execFileSync(process.execPath, ["--disable-warning=ExperimentalWarning", STRIP, target]);
  }
  return {
    SLUICE_TEST_MODULES: target,
    NODE_OPTIONS: `${options} --import=${MODULES}`.trimStart(),
  };
}
