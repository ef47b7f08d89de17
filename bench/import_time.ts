/**
 * Measures what an import of the package costs: the time of a process that imports it, beside one
 * that imports an empty module. The runs are interleaved, so that a busy machine slows both alike.
 *
 *     npm run build && node bench/import_time.ts [rounds]
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installed, type Runner } from "../test/_kit/runners.ts";

const ROUNDS = Number(process.argv[2] ?? 25);
const LIMIT_MS = 15;
const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The import of each process; the first is the baseline. */
const CASES = {
  empty: `import "./empty_module.mjs";`,
  package: using(join(ROOT, "dist/mod.js")),
  sources: using(join(ROOT, "src/mod.ts")),
};

/** Returns a program that fails unless the module was loaded. */
function using(module: string): string {
  return `import { SyscallError } from ${JSON.stringify(module)};
    if (typeof SyscallError !== "function") throw new Error("nothing was imported");`;
}

if (!existsSync(join(ROOT, "dist/mod.js"))) throw new Error("run `npm run build` first");
const folder = mkdtempSync(join(tmpdir(), "sluice-import-"));
try {
  writeFileSync(join(folder, "empty_module.mjs"), "export {};\n");
  for (const [name, text] of Object.entries(CASES)) {
    writeFileSync(join(folder, `${name}.mjs`), text);
  }
  console.log(`median of ${ROUNDS} interleaved starts, in ms (smallest to largest)\n`);
  for (const name of ["node", "bun", "deno"] as const) measure(installed(name));
} finally {
  rmSync(folder, { recursive: true });
}

function measure(runner: Runner): void {
  const names = Object.keys(CASES);
  const times = new Map(names.map((name) => [name, [] as number[]]));
  // The first round fills the caches of files and of compiled code, and does not count.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const name of names) {
      const time = start(runner.program(join(folder, `${name}.mjs`)));
      if (round > 0) times.get(name)!.push(time);
    }
  }
  console.log(runner.name);
  const base = median(times.get("empty")!);
  for (const [name, all] of times) {
    const spread = `(${Math.min(...all).toFixed(1)} to ${Math.max(...all).toFixed(1)})`;
    const more = median(all) - base;
    const verdict = name !== "package" ? "" : more < LIMIT_MS ? "  within 15" : "  ABOVE 15";
    const extra = name === "empty" ? "" : `  +${more.toFixed(1)}${verdict}`;
    console.log(`  ${name.padEnd(8)} ${median(all).toFixed(1).padStart(6)} ${spread}${extra}`);
  }
}

function start([command, ...args]: string[]): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(command!, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return performance.now() - started;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
