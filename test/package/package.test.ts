/** The tarball that npm publishes, used as users use it. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { consumer, oncePerRun, runJson, tool, write } from "../_kit/package.ts";

/**
 * Sends a file into a pipe that is too small for it, so that a Worker must wait for room, and
 * prints what came out at the other end.
 */
const USE = `
const dir = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-use-"));
const bytes = Buffer.alloc(300_000, "sluice");
fs.writeFileSync(path.join(dir, "file"), bytes);
const fds = new Int32Array(2);
raw.pipe2(fds, fs.constants.O_NONBLOCK);
const received = [];
const part = new Uint8Array(10_000);
const timer = setInterval(() => {
  const count = raw.read(fds[0], part);
  if (count > 0) received.push(Buffer.from(part.subarray(0, count)));
  if (count !== 0) return;
  clearInterval(timer);
  raw.close(fds[0]);
  console.log(JSON.stringify({ equal: Buffer.concat(received).equals(bytes), ...outcome }));
}, 1);
let outcome;
sendFile(fds[1], path.join(dir, "file"))
  .then(({ bytes, method }) => outcome = { bytes, method })
  .catch((error) => outcome = { error: String(error) })
  .finally(() => {
    raw.close(fds[1]);
    fs.rmSync(dir, { recursive: true });
  });
`;

const USED = { equal: true, bytes: 300_000, method: "splice" };

const ESM = `
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { sendFile } from "sluice";
import { raw } from "sluice/sys";
${USE}`;

const CJS = `
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { sendFile } = require("sluice");
const { raw } = require("sluice/sys");
${USE}`;

/** Bundles the program as `app.js`; koffi needs no mention, for nothing imports it by name. */
function bundle(format: "esm" | "cjs", folder: string, ...entries: string[]): void {
  write("app.mjs", ESM);
  const options = ["--bundle", "--platform=node", "--log-level=error", `--format=${format}`];
  tool("esbuild", "app=app.mjs", ...entries, ...options, `--outdir=${folder}`);
}

interface Manifest {
  exports: Record<string, string | Record<string, string>>;
  sideEffects: string[];
}

describe("the npm package", () => {
  let root: string;
  let manifest: Manifest;

  before(() => {
    root = join(consumer(), "node_modules/sluice");
    manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  });

  it("contains the built files, the texts and nothing else", () => {
    const names = readdirSync(root).sort();
    const texts = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md"];
    assert.deepEqual(names, [...texts, "dist", "docs", "package.json"]);
    const docs = readdirSync(join(root, "docs"), { recursive: true, withFileTypes: true });
    assert.deepEqual(
      docs.filter((file) => file.isFile() && !/\.(md|svg|png|1)$/.test(file.name)),
      [],
    );
    const files = readdirSync(join(root, "dist"), { recursive: true, withFileTypes: true });
    const odd = files.filter((file) =>
      file.isFile() && !/\.js(?:\.map)?$|\.d\.ts$/.test(file.name)
    );
    assert.deepEqual(odd, []);
  });

  it("has a file behind every path of its exports", () => {
    for (const [entry, target] of Object.entries(manifest.exports)) {
      // The condition of a checkout, whose sources the package leaves out.
      const { "sluice-source": _, ...conditions } = typeof target === "string"
        ? { default: target }
        : target;
      for (const path of Object.values(conditions)) {
        assert.ok(existsSync(join(root, path)), `${entry}: ${path} is not in the package`);
      }
    }
  });

  it("keeps the Worker beside the code that starts it, out of reach of tree shaking", () => {
    assert.ok(manifest.sideEffects.includes("./dist/worker.js"));
    const nested = readdirSync(join(root, "dist"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".js") && name.includes("/"));
    assert.deepEqual(nested, []);
  });

  it("imports", () => {
    assert.deepEqual(runJson(write("use.mjs", ESM)), USED);
  });

  it("can be required", () => {
    assert.deepEqual(runJson(write("use.cjs", CJS)), USED);
  });

  it("works in a bundle of ES modules, with the Worker as a second entry", () => {
    bundle("esm", "bundle_esm", "worker=sluice/worker");
    assert.deepEqual(runJson(join(consumer(), "bundle_esm/app.js")), USED);
  });

  it("works in a CommonJS bundle that is told where the Worker is", () => {
    bundle("cjs", "bundle_cjs");
    write("bundle_cjs/package.json", `{ "type": "commonjs" }`);
    const env = { SLUICE_WORKER: join(root, "dist/worker.js") };
    assert.deepEqual(runJson(join(consumer(), "bundle_cjs/app.js"), env), USED);
  });

  it("says how to bundle the Worker where that was forgotten", () => {
    bundle("esm", "bundle_bare");
    const { error } = runJson(join(consumer(), "bundle_bare/app.js")) as { error: string };
    assert.match(error, /^UnsupportedError: .*worker\.js.*SLUICE_WORKER/);
  });

  for (const [module, moduleResolution] of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
    it(`has types that resolve with moduleResolution ${moduleResolution}`, () => {
      write(
        "types.mts",
        `import { SyscallError } from "sluice";
        import { raw } from "sluice/sys";
        import "sluice/register";
        export const sent: number = raw.sendfile(1, 0, null, 1);
        export const code: string = new SyscallError({ syscall: "read", errno: 9, action: "" }).code;
        // @ts-expect-error A wrong argument is seen, so the types are not any.
        raw.sendfile("1");`,
      );
      const compilerOptions = {
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        noUncheckedSideEffectImports: true,
        target: "es2024",
        types: ["node"],
        module,
        moduleResolution,
      };
      const project = { compilerOptions, files: ["types.mts"] };
      const file = write(`tsconfig.${moduleResolution}.json`, JSON.stringify(project));
      oncePerRun(`tsc ${moduleResolution}`, () => tool("tsc", "-p", file));
    });
  }
});
