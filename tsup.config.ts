import { defineConfig, type Options } from "tsup";

const shared: Options = {
  format: "esm",
  dts: false,
  target: "node22",
  platform: "node",
  // "fs" without "node:" is a package to Deno, and nothing to bundlers for other places.
  removeNodeProtocol: false,
};

export default defineConfig([
  {
    ...shared,
    // The entries of "exports" in package.json, flat: the code that starts a Worker may land in any
    // shared chunk, and finds worker.js beside itself. Jobs, too, are imported by URL.
    entry: {
      mod: "src/mod.ts",
      sys: "src/sys/mod.ts",
      http: "src/http/mod.ts",
      register: "src/register.ts",
      worker: "src/wait/worker.ts",
      server_job: "src/http/server/server_job.ts",
      disk_job: "src/http/server/disk_job.ts",
      relay_job: "src/move/relay_job.ts",
    },
    splitting: true,
    // Without comments and white space, but with its names: stack traces stay legible.
    esbuildOptions(options) {
      options.minifyWhitespace = true;
      options.minifySyntax = true;
    },
  },
  {
    ...shared,
    // The command, with the libraries that only it uses: they are devDependencies, and so bundled.
    // What few commands need is a chunk of its own, loaded when it is needed. Some libraries are
    // CommonJS and ask for modules of Node.js by require().
    entry: { cli: "src/cli/main.ts" },
    banner: {
      js: 'import{createRequire as $createRequire}from"node:module";' +
        "const require=$createRequire(import.meta.url);",
    },
    splitting: true,
    minify: true,
    esbuildOptions(options) {
      options.chunkNames = "cli-[hash]";
    },
  },
]);
