/**
 * The suite under vitest, on Node.js: `npx vitest` watches, `npx vitest run` runs it once.
 * `npm test` decides: it runs the same files on every runtime, each with its own runner.
 */

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const SHIM = fileURLToPath(new URL("test/_kit/node_test_on_vitest.ts", import.meta.url));

export default defineConfig({
  resolve: { alias: { "node:test": SHIM } },
  test: {
    include: ["test/**/*.test.ts"],
    // Long tests; tests that need SLUICE_FFI=none; tests that need the packed tarball.
    exclude: ["test/stress/**", "test/portable/**", "test/package/**", "node_modules/**"],
    // A process for each file, as under `npm test`: descriptors and threads are counted in it.
    pool: "forks",
    // Files that measure how long the event loop stalls run beside at most one other.
    maxWorkers: 3,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    env: { SLUICE_FFI: process.env["SLUICE_FFI"] ?? "koffi", NO_COLOR: "1" },
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts", "ffi/**/*.ts"],
      // Code that runs in Workers and child processes is not seen by this provider.
      reporter: ["text-summary", "json-summary", "lcovonly"],
      reportsDirectory: "coverage",
    },
  },
});
