/** JavaScript for the servers and clients: what users run is not TypeScript either. @module */

import { spawnSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * Compiles the sources into a folder, file by file.
 *
 * Stripping the types when a file is loaded costs a process of Node.js 40 MB (measured), which is
 * nothing that a server of ours should be charged with.
 */
export function compile(folder: string): void {
  const config = join(folder, "tsconfig.json");
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(ROOT, "tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        declaration: false,
        isolatedDeclarations: false,
        rewriteRelativeImportExtensions: true,
        typeRoots: [join(ROOT, "node_modules/@types")],
        rootDir: ROOT,
        outDir: folder,
      },
      include: ["src", "ffi", "bench/servers", "bench/client"].map((name) => join(ROOT, name)),
    }),
  );
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  const { status, stdout, error } = spawnSync(tsc, ["-p", config], { encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot compile the sources: ${stdout}`, { cause: error });
}
