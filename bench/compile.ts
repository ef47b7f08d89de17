/** Compiles servers and clients to JavaScript, as users run it. @module */

import { buildSync } from "esbuild";
import { spawnSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Entries of the package, as in `tsup.config.ts`, except the command. */
const ENTRIES = [
  "src/mod.ts",
  "src/sys/mod.ts",
  "src/http/mod.ts",
  "src/register.ts",
  "src/threads/worker.ts",
  "src/http/server/thread/server_job.ts",
  "src/http/server/background/background_job.ts",
  "src/move/relay/server/relay_job.ts",
];

/**
 * Compiles the sources into a folder: the benchmark's programs file by file, and the package as it
 * is published, bundled.
 *
 * Stripping types at load time, and loading the package file by file, cost a process of Node.js
 * much memory. Users of the published package do not pay that.
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
  bundle(folder);
}

/** Replaces the files of the package by the bundled package. */
function bundle(folder: string): void {
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES,
    outbase: ROOT,
    outdir: folder,
    allowOverwrite: true,
    // The code that starts a Worker expects worker.js beside itself.
    chunkNames: "src/threads/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22",
    packages: "external",
    minifyWhitespace: true,
    minifySyntax: true,
  });
}
