/** The tarball, as those see it who decide whether to depend on it. */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { before, describe, it } from "node:test";
import { VERSION } from "../../src/version.ts";
import {
  consumer,
  makeOncePerRun,
  oncePerRun,
  programArgs,
  runJson,
  tool,
  write,
} from "../_kit/package.ts";

/**
 * Bytes that each part may have when packed. The core is what `sluice` and `sluice/register` load,
 * with their Workers; the command comes with the libraries bundled into it.
 */
const BUDGET = {
  core: 139_500,
  sys: 10_000,
  http: 117_500,
  tls: 6_000,
  declarations: 79_600,
  texts: 470_000,
  maps: 78_000,
  command: 300_000,
} as const;
/** Entries of the core, and those whose code is needed beyond it. */
const CORE = ["mod.js", "register.js", "worker.js", "relay_job.js"];
const SYS = ["sys.js"];
const HTTP = ["http.js", "server_job.js", "background_job.js"];
const ENTRIES: ReadonlySet<string> = new Set([...CORE, ...SYS, ...HTTP]);

const SOURCE = `
import { createReadStream, sendFile, SyscallError } from "sluice";
import { raw } from "sluice/sys";
console.log(JSON.stringify({
  names: [createReadStream.name, sendFile.name],
  code: new SyscallError({ syscall: "read", errno: 9, action: "read" }).code,
  refused: raw.close(-1) < 0,
}));
`;
const PRINTED = { names: ["createReadStream", "sendFile"], code: "EBADF", refused: true };

/** Compilers beside the one of the checkout: paths of packages, separated by colons. */
const OTHER_COMPILERS = (process.env["SLUICE_TEST_TYPESCRIPTS"] ?? "").split(":").filter(Boolean);

describe("the published package", () => {
  let root: string;

  before(() => {
    root = join(consumer(), "node_modules/sluice");
  });

  /** Packs a part of the package as npm does. */
  function pack(name: string, ...args: string[]): string {
    const file = join(consumer(), name);
    const prefix = ["--transform", "s,^sluice,package,"];
    execFileSync("tar", ["-czf", file, ...args, ...prefix, "-C", join(root, ".."), "sluice"]);
    return file;
  }

  it("has nothing that publint objects to", () => {
    oncePerRun("publint", () => tool("publint", "run", root, "--pack", "false", "--strict"));
  });

  it("has types that are not wrong, for import as for bundlers", () => {
    oncePerRun("attw", () => {
      const file = pack("whole.tgz");
      // require() of it works on every supported Node.js: see package.test.ts.
      tool("attw", file, "--profile", "esm-only", "--quiet");
      rmSync(file);
    });
  });

  /** Whether HTTPS servers load this on demand, with its imports. */
  function isTls(name: string): boolean {
    return name.startsWith("tls_control-");
  }

  /** Files of the package that these lead to, themselves included. */
  function reached(...files: string[]): Set<string> {
    const found = new Set(files);
    for (const file of found) {
      const text = readFileSync(join(root, "dist", file), "utf8");
      for (const [, name] of text.matchAll(/"\.\/([\w.-]+\.js)"/g)) {
        // The Worker names jobs of other parts, and loads one when a thread runs it.
        if (ENTRIES.has(name!) || isTls(name!)) continue;
        if (existsSync(join(root, "dist", name!))) found.add(name!);
      }
    }
    return found;
  }

  it("keeps each part within its budget when packed", () => oncePerRun("budgets", checkBudgets));

  function checkBudgets(): void {
    const core = reached(...CORE);
    const sys = [...reached(...SYS)].filter((name) => !core.has(name));
    const http = [...reached(...HTTP)].filter((name) => !core.has(name) && !sys.includes(name));
    const all = readdirSync(join(root, "dist")).filter((name) => name.endsWith(".js"));
    const plain = new Set([...core, ...sys, ...http]);
    const tls = [...reached(...all.filter(isTls))].filter((name) => !plain.has(name));
    assert.ok(tls.length > 0, "HTTPS is loaded on demand");
    const command = all.filter((name) => !plain.has(name) && !tls.includes(name));
    const parts = {
      core: [...core].map((name) => `dist/${name}`),
      sys: sys.map((name) => `dist/${name}`),
      http: http.map((name) => `dist/${name}`),
      tls: tls.map((name) => `dist/${name}`),
      declarations: ["dist/types"],
      maps: readdirSync(join(root, "dist")).filter((name) => name.endsWith(".map"))
        .map((name) => `dist/${name}`),
      texts: readdirSync(root).filter((name) => name !== "dist"),
      command: command.map((name) => `dist/${name}`),
    };
    const sizes = Object.entries(parts).map(([part, files]) => {
      const file = join(consumer(), "part.tgz");
      // As npm does.
      execFileSync("tar", ["-I", "gzip -9", "-cf", file, "-C", root, ...files]);
      const { size } = statSync(file);
      rmSync(file);
      return [part, size] as const;
    });
    const over = sizes.filter(([part, size]) => size > BUDGET[part as keyof typeof BUDGET]);
    assert.deepEqual(over, []);
  }

  it("has the documentation, in which no link leads nowhere", () => {
    const files = readdirSync(root, { recursive: true, encoding: "utf8" });
    const pages = files.filter((name) => name.endsWith(".md"));
    for (const name of ["README.md", "docs/guide.md", "docs/api/sluice.md", "ARCHITECTURE.md"]) {
      assert.ok(pages.includes(name), name);
    }
    const dead: string[] = [];
    for (const name of pages) {
      const text = readFileSync(join(root, name), "utf8");
      for (const [, link] of text.matchAll(/\]\((?![a-z]+:)([^)#\s]+)[^)]*\)/g)) {
        if (!existsSync(join(root, dirname(name), link!))) dead.push(`${name}: ${link}`);
      }
    }
    assert.deepEqual(dead, []);
  });

  it("keeps the names of functions and classes in what it minifies", () => {
    for (const name of ["SyscallError", "MappedFile", "DirectFile", "AlignedBuffer"]) {
      const text = [...reached(...CORE)].map((file) =>
        readFileSync(join(root, "dist", file), "utf8")
      );
      assert.match(text.join(""), new RegExp(`class ${name}\\b|${name}=class`), name);
    }
  });

  it("installs nothing by scripts, and needs nothing but what may be missing", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const name of ["preinstall", "install", "postinstall"]) {
      assert.equal(manifest.scripts[name], undefined);
    }
    assert.deepEqual(Object.keys(manifest.dependencies ?? {}), []);
    assert.deepEqual(Object.keys(manifest.optionalDependencies), ["koffi"]);
    assert.equal(manifest.os, undefined);
  });

  it("has declarations for its entries, and none of what they do not lead to", () => {
    const files = readdirSync(join(root, "dist/types"), { recursive: true, encoding: "utf8" });
    assert.ok(files.includes("src/mod.d.ts"));
    assert.deepEqual(files.filter((name) => name.startsWith("src/cli")), []);
  });

  it("has the core in files that load no library of the command", () => {
    for (const name of reached(...CORE, ...SYS, ...HTTP)) {
      const text = readFileSync(join(root, "dist", name), "utf8");
      assert.doesNotMatch(text, /commander|echarts|cli-progress/, name);
    }
  });

  it("starts its command on this runtime", () => {
    const bin = join(consumer(), "node_modules/.bin/sluice");
    const file = existsSync(bin) ? bin : join(root, "dist/cli.js");
    for (
      const [args, status, output] of [
        [["--version"], 0, new RegExp(`^${VERSION}\n$`)],
        [["doctor"], 0, /sendfile +works/],
        [["bogus"], 2, /^$/],
      ] as const
    ) {
      const options = { encoding: "utf8", timeout: 60_000 } as const;
      const ended = spawnSync(process.execPath, [...programArgs(file), ...args], options);
      assert.equal(ended.status, status, ended.stderr);
      assert.match(ended.stdout, output);
    }
  });

  for (const format of ["esm", "cjs"] as const) {
    it(`can be bundled by tsup into ${format}`, () => {
      write("bundle.ts", SOURCE);
      const folder = `tsup_${format}`;
      // Otherwise the bundle omits the dependencies of package.json.
      const options = { entry: ["bundle.ts"], format, outDir: folder, noExternal: ["sluice"] };
      const config = `export default ${JSON.stringify({ ...options, platform: "node" })};`;
      const file = write(`tsup.${format}.mjs`, config);
      makeOncePerRun(`tsup ${format}`, join(consumer(), folder), () => {
        tool("tsup", "--config", file, "--silent");
      });
      // The project is of type "module", so that tsup names CommonJS .cjs.
      const bundle = join(consumer(), folder, format === "esm" ? "bundle.js" : "bundle.cjs");
      assert.deepEqual(runJson(bundle), PRINTED);
    });
  }

  for (const compiler of OTHER_COMPILERS) {
    const { version } = JSON.parse(readFileSync(join(compiler, "package.json"), "utf8"));
    for (const [module, moduleResolution] of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
      it(`has types for TypeScript ${version}, moduleResolution ${moduleResolution}`, () => {
        write("other.mts", `${SOURCE}\nimport "sluice/register";`);
        const compilerOptions = {
          strict: true,
          noEmit: true,
          skipLibCheck: false,
          target: "es2024",
          types: ["node"],
          module,
          moduleResolution,
        };
        const project = JSON.stringify({ compilerOptions, files: ["other.mts"] });
        const config = write(`tsconfig.${version}.${moduleResolution}.json`, project);
        const args = [join(compiler, "bin/tsc"), "-p", config];
        oncePerRun(`tsc ${version} ${module}`, () => {
          const options = { encoding: "utf8", timeout: 120_000 } as const;
          const { status, stdout } = spawnSync("node", args, options);
          assert.equal(status, 0, stdout);
        });
      });
    }
  }
});
