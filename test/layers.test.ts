import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const MOST_LINES = 260;
const MOST_FILES = 16;

/**
 * Layers of `src`, from the bottom: a file may import from its own and from those before it. `move`
 * and `memory` are one layer, as are the files at the root, of which the entries come last. The steps
 * of the engine lie far below the rest of `move`: the loops of all threads are made of them.
 */
const ORDER: readonly (readonly string[])[] = [
  ["ffi"],
  [
    "src/bytes.ts",
    "src/checked.ts",
    "src/errors.ts",
    "src/errno.ts",
    "src/options.ts",
    "src/version.ts",
    "src/builtins.ts",
    "src/debug.ts",
    "src/media_types.ts",
  ],
  ["src/sys"],
  ["src/move/engine/step"],
  ["src/probe"],
  ["src/runtime"],
  ["src/page_cache", "src/threads"],
  ["src/tls"],
  ["src/move", "src/memory"],
  ["src/http"],
  ["src/capabilities.ts"],
  ["src/mod.ts", "src/register.ts", "src/jobs.ts", "src/worker.ts"],
  ["src/cli"],
];

/** The only files that may look at the runtime. */
const LOOKS_AT_RUNTIME = /^(ffi\/mod\.ts|ffi\/platform\/mod\.ts|src\/runtime\/.+)$/;

interface Source {
  readonly name: string;
  readonly text: string;
  /** Without comments, so that a doc may name what code may not use. */
  readonly code: string;
  readonly imports: readonly string[];
}

const sources: Source[] = ["ffi", "src"].flatMap(read);

function read(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => {
      const name = join(folder, file);
      const text = readFileSync(join(ROOT, name), "utf8");
      const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
      const found = code.matchAll(
        /^(?:import|export)\b[^;"']*?\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm,
      );
      return { name, text, code, imports: Array.from(found, (m) => (m[1] ?? m[2] ?? m[3])!) };
    });
}

function layerOf(name: string): number {
  return ORDER.findIndex((layer) =>
    layer.some((place) => name === place || name.startsWith(`${place}/`))
  );
}

/** The files of one circle of imports; empty if there is none. */
function circle(targets: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (name: string): string[] => {
    const at = path.indexOf(name);
    if (at >= 0) return path.slice(at);
    if (done.has(name)) return [];
    path.push(name);
    for (const target of targets.get(name) ?? []) {
      const found = visit(target);
      if (found.length > 0) return found;
    }
    path.pop();
    done.add(name);
    return [];
  };
  for (const name of targets.keys()) {
    const found = visit(name);
    if (found.length > 0) return found;
  }
  return [];
}

describe("the layers", () => {
  it("hold every file", () => {
    const homeless = sources.filter(({ name }) => layerOf(name) < 0).map(({ name }) => name);
    assert.deepEqual(homeless, []);
  });

  it("import downwards only", () => {
    const wrong = sources.flatMap(({ name, imports }) =>
      imports.filter((specifier) => specifier.startsWith(".")).map((specifier) => {
        const target = relative(ROOT, join(ROOT, name, "..", specifier));
        return { name, target };
      })
    ).filter(({ name, target }) => layerOf(target) > layerOf(name));
    assert.deepEqual(wrong, []);
  });

  it("have no circle of imports, types included", () => {
    const targets = new Map(sources.map(({ name, imports }) => [
      name,
      imports.filter((s) => s.startsWith(".")).map((s) =>
        relative(ROOT, join(ROOT, name, "..", s))
      ),
    ]));
    assert.deepEqual(circle(targets), []);
  });

  it("import files that exist, by their whole name", () => {
    for (const { name, imports } of sources) {
      for (const specifier of imports.filter((s) => s.startsWith("."))) {
        // echarts, whose types need those of a browser, is reached through a file of JavaScript.
        assert.match(specifier, name.startsWith("src/cli/") ? /\.[jt]s$/ : /\.ts$/, name);
        assert.ok(existsSync(join(ROOT, name, "..", specifier)), `${name}: ${specifier}`);
      }
    }
  });

  it("import nothing else but modules of Node.js; the command alone may use libraries", () => {
    const library = sources.filter(({ name }) => !name.startsWith("src/cli/"));
    const others = library.flatMap(({ name, imports }) =>
      imports.filter((s) => !/^(\.|node:)/.test(s)).map((s) => `${name}: ${s}`)
    );
    assert.deepEqual(others, []);
  });

  it("call sendfile(2) and splice(2) by the steps of the engine alone, to move bytes", () => {
    const wrong = sources.filter(({ name, code }) =>
      /^src\/(?!sys|probe|cli|move\/engine\/step)/.test(name) &&
      // The thread for blocking calls has the call itself in its table, by its own name.
      /\b(?:raw\.)(?:sendfile|splice)\(/.test(code)
    ).map(({ name }) => name);
    assert.deepEqual(wrong, []);
  });

  it("have one place for the numbers of errors that loops compare", () => {
    const wrong = sources.filter(({ name, code }) =>
      name.startsWith("src/") && name !== "src/errno.ts" &&
      /^const (E[A-Z]+) = -errnoNumber\("\1"\)/m.test(code)
    ).map(({ name }) => name);
    assert.deepEqual(wrong, []);
  });

  it("know no single backend and no single platform in src", () => {
    const wrong = sources.flatMap(({ name, imports }) =>
      imports.filter((s) =>
        name.startsWith("src/") && s.includes("/ffi/") &&
        !/\/ffi\/(mod|types|libc\/mod|libc\/cell|libssl\/mod|platform\/mod)\.ts$/.test(s)
      ).map((s) => `${name}: ${s}`)
    );
    assert.deepEqual(wrong, []);
  });
});

describe("every file of ffi and src", () => {
  it("leaves the globals of the runtimes alone, unless that is its job", () => {
    const wrong = sources.filter(({ name, code }) =>
      !LOOKS_AT_RUNTIME.test(name) &&
      /\b(?:globalThis|Deno\.|Bun\.|process\.(?:platform|arch|versions))/.test(code)
    ).map(({ name }) => name);
    assert.deepEqual(wrong, []);
  });

  it(`has at most ${MOST_LINES} lines, and says what it is for`, () => {
    for (const { name, text } of sources) {
      assert.ok(text.split("\n").length <= MOST_LINES, `${name} is too long`);
      assert.match(text, /@module/, `${name} has no @module line`);
    }
  });

  it("has no default export, and nothing that type stripping cannot remove", () => {
    for (const { name, code } of sources) {
      assert.doesNotMatch(
        code,
        /^export default|^\s*(?:export )?(?:const )?enum |^namespace /m,
        name,
      );
    }
  });

  it(`stands in a folder of at most ${MOST_FILES} files`, () => {
    const folders = new Map<string, number>();
    for (const { name } of sources) {
      const folder = dirname(name);
      folders.set(folder, (folders.get(folder) ?? 0) + 1);
    }
    assert.deepEqual([...folders].filter(([, count]) => count > MOST_FILES), []);
  });

  it("takes the classes of errors from below", () => {
    const wrong = sources.filter(({ name, code }) =>
      /^export class \w+Error\b/m.test(code) && name !== "src/errors.ts" &&
      !/^src\/tls\//.test(name)
    ).map(({ name }) => name);
    assert.deepEqual(wrong, []);
  });

  it("names no folder utils", () => {
    const utils = sources.filter(({ name }) => /util|helper|common/i.test(name));
    assert.deepEqual(utils.map(({ name }) => name), []);
  });
});
