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
    },
    splitting: true,
  },
  {
    ...shared,
    // The command is one file, with the libraries that only it uses: they are devDependencies, and
    // so bundled. Some of them are CommonJS and ask for modules of Node.js by require().
    entry: { cli: "src/cli/main.ts" },
    banner: {
      js: 'import{createRequire as $createRequire}from"node:module";' +
        "const require=$createRequire(import.meta.url);",
    },
    splitting: false,
    minify: true,
  },
]);
