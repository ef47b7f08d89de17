import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { transform } from "esbuild";
import { defineConfig, type Options } from "tsup";

type ChunkPlugin = NonNullable<Options["plugins"]>[number];
type LoadPlugin = NonNullable<Options["esbuildPlugins"]>[number];

/** What esbuild writes around the code of a chunk, and before that of each file for Node.js. */
const IMPORTS = /^(?:import\b[^;"()]*"[^"]*";)+|(?<=[;}])import\b[^;"'()]*"node:[a-z_/]+";/g;
const EXPORTS = /export\{[^}]*\};\s*$/;
const META = "$import_meta";

/** Short names for the constants of the sources: no stack trace or console shows these. */
const SHORT = new Map(
  [...constants()].map((name, index) => [name, `$${index.toString(36)}`]),
);

/** In an order that does not depend on that of the chunks. */
function constants(): Set<string> {
  const names = new Set<string>();
  for (const folder of ["ffi", "src"]) {
    const files = readdirSync(folder, { encoding: "utf8", recursive: true }).sort();
    for (const file of files.filter((file) => file.endsWith(".ts"))) {
      const text = readFileSync(join(folder, file), "utf8");
      for (const [, name] of text.matchAll(/^(?:export )?const ([A-Z][A-Z0-9_]{2,})\b/gm)) {
        names.add(name!);
      }
    }
  }
  return names;
}

/** Chunks that only other chunks load. The names that other modules export stay as they are. */
function isShared(file: string): boolean {
  return basename(file).startsWith("chunk-");
}

/** The text of a chunk. */
interface Chunk {
  head: string;
  body: string;
  tail: string;
}

/**
 * Renames where a constant is declared, imported and exported. Then all else that bears its name is
 * a global variable to esbuild, which replaces it without touching strings, properties and locals.
 */
function shortConstants({ head, body, tail }: Chunk, file: string) {
  const define: Record<string, string> = {};
  const found = new Map<string, number>();
  const declared = /(?<=(?:^|[;}\n])(?:const|let|var) |,)([A-Z][A-Z0-9_]{2,})(?==[^=>])/g;
  for (const [, name] of body.matchAll(declared)) found.set(name!, (found.get(name!) ?? 0) + 1);
  const shortBody = body.replaceAll(declared, (name) => {
    const short = SHORT.get(name);
    if (short === undefined || found.get(name) !== 1) return name;
    return define[name] = short;
  });
  const shortHead = head.replaceAll(/import\{([^}]*)\}from"(\.[^"]*)"/g, (_, list, from) => {
    const names = (list as string).split(",").map((item) => {
      const [name, local] = item.split(" as ") as [string, string?];
      const short = SHORT.get(name);
      if (short === undefined) return item;
      const exported = isShared(from) ? short : name;
      if (local !== undefined) return `${exported} as ${local}`;
      define[name] = short;
      return exported === short ? short : `${exported} as ${short}`;
    });
    return `import{${names.join(",")}}from"${from}"`;
  });
  const shortTail = tail.replace(/\{([^}]*)\}/, (_, list: string) => {
    const names = list.split(",").map((item) => {
      const [name, alias = name] = item.split(" as ") as [string, string?];
      const local = define[name] ?? name;
      const exported = isShared(file) ? SHORT.get(alias) ?? alias : alias;
      return local === exported ? local : `${local} as ${exported}`;
    });
    return `{${names.join(",")}}`;
  });
  return { head: shortHead, body: shortBody, tail: shortTail, define };
}

/**
 * Shortens the names inside of functions only. Stack traces, `MappedFile.name` and what a console
 * shows stay legible, for a twentieth of the size. Without its imports and exports a chunk is a
 * script, whose outer names esbuild leaves alone.
 */
const shortLocals: ChunkPlugin = {
  name: "short locals",
  async renderChunk(chunk, info) {
    const [, line, rest] = /^(#![^\n]*\n)?(.*)$/s.exec(chunk)!;
    const { head, body, tail, define } = shortConstants({
      head: [...rest!.matchAll(IMPORTS)].join(""),
      body: rest!.replaceAll(IMPORTS, "").replace(EXPORTS, "").replaceAll("import.meta", META),
      tail: EXPORTS.exec(rest!)?.[0] ?? "",
    }, info.path);
    const { code } = await transform(body, { minify: true, target: "node22", define });
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
