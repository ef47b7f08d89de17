import { readFile } from "node:fs/promises";
import { transform } from "esbuild";
import { defineConfig, type Options } from "tsup";

type ChunkPlugin = NonNullable<Options["plugins"]>[number];
type LoadPlugin = NonNullable<Options["esbuildPlugins"]>[number];

/** What esbuild writes around the code of a chunk, and before that of each file for Node.js. */
const IMPORTS = /^(?:import\b[^;"()]*"[^"]*";)+|(?<=[;}])import\b[^;"'()]*"node:[a-z_/]+";/g;
const EXPORTS = /export\{[^}]*\};\s*$/;
const META = "$import_meta";

/**
 * Shortens the names inside of functions only. Stack traces, `MappedFile.name` and what a console
 * shows stay legible, for a twentieth of the size. Without its imports and exports a chunk is a
 * script, whose outer names esbuild leaves alone.
 */
const shortLocals: ChunkPlugin = {
  name: "short locals",
  async renderChunk(chunk) {
    const [, line, rest] = /^(#![^\n]*\n)?(.*)$/s.exec(chunk)!;
    const head = [...rest!.matchAll(IMPORTS)].join("");
    const tail = EXPORTS.exec(rest!)?.[0] ?? "";
    const body = rest!.replaceAll(IMPORTS, "").replace(EXPORTS, "").replaceAll("import.meta", META);
    const { code } = await transform(body, { minify: true, target: "node22" });
    return { code: `${line ?? ""}${head}${code.trimEnd().replaceAll(META, "import.meta")}${tail}` };
  },
};

/**
 * The libraries of the command: all their names may go. Some are CommonJS and ask for modules of
 * Node.js by require(), which an ES module has not.
 */
const libraries: LoadPlugin = {
  name: "libraries of the command",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]node_modules[\\/].*\.[cm]?js$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const { code } = await transform(text, { minify: true, target: "node22" });
      const builtin =
        /\brequire\("((?:node:)?(?:child_process|events|fs|path|process|readline|util))"\)/g;
      return {
        contents: code.replace(builtin, `globalThis.process.getBuiltinModule("$1")`),
        loader: "js",
      };
    });
  },
};

export default defineConfig({
  // The entries of "exports" in package.json, flat: the code that starts a Worker may land in any
  // shared chunk, and finds worker.js beside itself. Jobs, too, are imported by URL. The command
  // shares its code with them; what few of its commands need is loaded when it is needed.
  entry: {
    mod: "src/mod.ts",
    sys: "src/sys/mod.ts",
    http: "src/http/mod.ts",
    register: "src/register.ts",
    worker: "src/worker.ts",
    server_job: "src/http/server/thread/server_job.ts",
    prefetch_job: "src/http/server/thread/prefetch_job.ts",
    relay_job: "src/move/relay/server/relay_job.ts",
    cli: "src/cli/main.ts",
  },
  format: "esm",
  dts: false,
  target: "node22",
  platform: "node",
  // "fs" without "node:" is a package to Deno, and nothing to bundlers for other places.
  removeNodeProtocol: false,
  splitting: true,
  esbuildOptions(options) {
    options.minifyWhitespace = true;
    options.minifySyntax = true;
  },
  plugins: [shortLocals],
  esbuildPlugins: [libraries],
});
