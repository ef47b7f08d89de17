/**
 * `node tools/prune_types.ts`: removes from `dist/types` the declarations that no entry of the
 * package leads to. tsc writes one for every file, and two thirds of them are nobody's business.
 *
 * @module
 */

import { readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const TYPES = join(ROOT, "dist/types");

interface Manifest {
  readonly exports: Record<string, string | { readonly types: string }>;
}

const { exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;
const queue = Object.values(exports)
  .flatMap((target) => typeof target === "string" ? [] : [join(ROOT, target.types)]);
const reached = new Set(queue);

for (const file of reached) {
  const text = readFileSync(file, "utf8");
  for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?"(\.[^"]+)"/g)) {
    reached.add(join(dirname(file), specifier!.replace(/\.[jt]s$/, ".d.ts")));
  }
}

for (const entry of readdirSync(TYPES, { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath, entry.name);
  if (entry.isFile() && !reached.has(file)) rmSync(file);
}
