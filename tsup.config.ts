import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { transform } from "esbuild";
import { defineConfig, type Options } from "tsup";
import {
  between,
  byLine,
  type MappedText,
  mappingsOf,
  replaceAll,
  type SourceMap,
  withMappings,
} from "./tools/source_maps.ts";

type ChunkPlugin = NonNullable<Options["plugins"]>[number];
type LoadPlugin = NonNullable<Options["esbuildPlugins"]>[number];

/** What esbuild writes around the code of a chunk, and before that of each file for Node.js. */
const IMPORTS = /^(?:import\b[^;"()]*"[^"]*";)+|(?<=[;}])import\b[^;"'()]*"node:[a-z_/]+";/g;
const EXPORTS = /export\{[^}]*\};\s*$/g;
const META = "$import_meta";
const META_NAME = /\$import_meta/g;

/** Tells Bun that it need not transpile a file, and may use its source map. */
const TRANSPILED = "// @bun";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));
/** Where the sources can be read: the package does not have them. */
const SOURCES = `https://raw.githubusercontent.com/sluice-io/sluice/v${version}/`;

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
  body: MappedText;
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
  for (const [name] of body.text.matchAll(declared)) found.set(name, (found.get(name) ?? 0) + 1);
  const shortBody = replaceAll(body, declared, (name) => {
    const short = SHORT.get(name);
    if (short === undefined || found.get(name) !== 1) return name;
    return define[name] = short;
  });
  const named = namedByVariable(shortBody, define);
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
  return { head: shortHead, body: named, tail: shortTail, define };
}

/**
 * esbuild writes `X=class _X{}` for a class that refers to itself, and would shorten the second name,
 * which stack traces show. Without it, the class has the name of its variable.
 */
function namedByVariable(body: MappedText, define: Record<string, string>): MappedText {
  const own = /(?<=\b(\w+)=class) (_\w+)(?=\{| extends\b)/g;
  const names = [...body.text.matchAll(own)].map(([, , inner]) => inner);
  return replaceAll(body, own, (whole, outer, inner) => {
    if (names.indexOf(inner) !== names.lastIndexOf(inner)) return whole;
    define[inner] = outer;
    return "";
  });
}

/**
 * Shortens the names inside of functions only. Stack traces, `MappedFile.name` and what a console
 * shows stay legible, for a twentieth of the size. Without its imports and exports a chunk is a
 * script, whose outer names esbuild leaves alone.
 */
const shortLocals: ChunkPlugin = {
  name: "short locals",
  async renderChunk(chunk, info) {
    const map: SourceMap = JSON.parse(String(info.map));
    const [, line, rest] = /^(#![^\n]*\n)?(.*)$/s.exec(chunk)!;
    const whole = replaceAll(withMappings(chunk, map.mappings), /^#![^\n]*\n/g, () => "");
    const { head, body, tail, define } = shortConstants({
      head: [...rest!.matchAll(IMPORTS)].join(""),
      body: replaceAll(
        [IMPORTS, EXPORTS].reduce((text, those) => replaceAll(text, those, () => ""), whole),
        /import\.meta/g,
        () => META,
      ),
      tail: rest!.match(EXPORTS)?.[0] ?? "",
    }, info.path);
    const short = replaceAll(await minify(body, define), META_NAME, () => "import.meta");
    const top = `${line ?? ""}${TRANSPILED}\n${head}`;
    const mapped = between(top, short, tail);
    info.map = lean(mapped, map.sources) as unknown as typeof info.map;
    return { code: `${mapped.text}\n` };
  },
};

/** Shortens names and syntax. */
async function minify(body: MappedText, define: Record<string, string>): Promise<MappedText> {
  const sources = [...new Set(body.marks.map(({ source }) => source))];
  const map = { version: 3, names: [], sources: sources.map(String), mappings: "" };
  const last = Math.max(0, ...sources);
  map.sources = Array.from({ length: last + 1 }, (_, index) => String(index));
  map.mappings = mappingsOf(body);
  const inline = Buffer.from(JSON.stringify(map)).toString("base64");
  const { code, map: made } = await transform(
    `${body.text}\n//# sourceMappingURL=data:application/json;base64,${inline}`,
    { minify: true, target: "node22", define, sourcemap: "external", sourcesContent: false },
  );
  const { mappings, sources: names } = JSON.parse(made) as SourceMap;
  const { text, marks } = withMappings(code.trimEnd(), mappings);
  const own = names.map(Number);
  return {
    text,
    marks: marks.map((mark) => mark.source < 0 ? mark : { ...mark, source: own[mark.source]! }),
  };
}
/** The map of a chunk, without the text of the sources; none for libraries of others. */
function lean(text: MappedText, sources: readonly string[]): object | undefined {
  const own = sources.map((source) => !source.includes("node_modules/"));
  const mapped = byLine(text, (source) => own[source] ?? false);
  const used = [...new Set(mapped.marks.map(({ source }) => source))].filter((it) => it >= 0);
  if (used.length === 0) return undefined;
  const marks = mapped.marks.map((it) => ({ ...it, source: used.indexOf(it.source) }));
  return {
    version: 3,
    sources: used.map((index) => `${SOURCES}${sources[index]!.replace(/^(?:\.\.\/)+/, "")}`),
    // Bun wants one of these for each source.
    sourcesContent: used.map(() => null),
    names: [],
    mappings: mappingsOf({ text: text.text, marks }),
  };
}

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
    background_job: "src/http/server/background/background_job.ts",
    relay_job: "src/move/relay/server/relay_job.ts",
    cli: "src/cli/main.ts",
  },
  format: "esm",
  dts: false,
  target: "node22",
  platform: "node",
  sourcemap: true,
  // "fs" without "node:" is a package to Deno, and nothing to bundlers for other places.
  removeNodeProtocol: false,
  splitting: true,
  esbuildOptions(options) {
    options.minifyWhitespace = true;
    options.minifySyntax = true;
    options.sourcesContent = false;
  },
  plugins: [shortLocals],
  esbuildPlugins: [libraries],
});
