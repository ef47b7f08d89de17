import { defineConfig } from "tsup";

export default defineConfig({
  // The entries of "exports" in package.json, flat: the code that starts a Worker may land in any
  // shared chunk, and finds worker.js beside itself. Jobs, too, are imported by URL.
  entry: {
    mod: "src/mod.ts",
    sys: "src/sys/mod.ts",
    register: "src/register.ts",
    worker: "src/wait/worker.ts",
  },
  format: "esm",
  dts: false,
  clean: true,
  splitting: true,
  target: "node22",
  platform: "node",
  // "fs" without "node:" is a package to Deno, and nothing to bundlers for other places.
  removeNodeProtocol: false,
});
