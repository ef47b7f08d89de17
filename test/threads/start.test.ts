import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type BuildOptions } from "esbuild";
import { backend, runtime } from "../../ffi/mod.ts";
import { type ChildOptions, runChild } from "../_kit/child.ts";

const USE = new URL("./_fixtures/use.ts", import.meta.url);
const WORKER = new URL("../../src/threads/worker.ts", import.meta.url);
const READY = "ready 1\n";
const REMEDY = /^UnsupportedError: Cannot start the Worker.*SLUICE_WORKER/;

const ONLY_NODE = runtime().name === "node" ? false : "a flag of Node.js";
/** The flags that let Node.js bind libc, by backend. */
const FFI_FLAG: Record<string, string> = { koffi: "--allow-addons", node: "--allow-ffi" };

async function run(file: URL, options?: ChildOptions): Promise<string> {
  const { code, stdout, stderr } = await runChild(file, options);
  assert.equal(code, 0, stderr);
  return stdout;
}

describe("a Worker", () => {
  it("starts from src/", async () => {
    assert.equal(await run(USE), READY);
  });

  it("starts from the file that SLUICE_WORKER names, as a URL or as a path", async () => {
    for (const SLUICE_WORKER of [WORKER.href, fileURLToPath(WORKER)]) {
      assert.equal(await run(USE, { env: { SLUICE_WORKER } }), READY);
    }
  });

  it("that is missing is a rejection with the remedy", async () => {
    assert.match(await run(USE, { env: { SLUICE_WORKER: "/missing/worker.js" } }), REMEDY);
  });

  it("that is not permitted is a rejection with the remedy", { skip: ONLY_NODE }, async () => {
    const flags = ["--permission", "--allow-fs-read=*", FFI_FLAG[backend().name]!];
    // From 26 on, a thread is also woken through a socket that must be permitted.
    if (process.allowedNodeEnvironmentFlags.has("--allow-net")) flags.push("--allow-net");
    assert.match(await run(USE, { flags }), /^UnsupportedError: .*--allow-worker/);
    assert.equal(await run(USE, { flags: [...flags, "--allow-worker"] }), READY);
  });

  it("starts in a program given by --eval with --input-type", { skip: ONLY_NODE }, async () => {
    const flags = ["--input-type=module", "--eval", `await import(${JSON.stringify(USE.href)})`];
    assert.equal(await run(USE, { flags }), READY);
  });
});

describe("a bundle", () => {
  let folder = "";

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "sluice-"));
    // koffi stays outside of bundles.
    symlinkSync(
      fileURLToPath(new URL("../../node_modules", import.meta.url)),
      join(folder, "node_modules"),
    );
    const options: BuildOptions = {
      bundle: true,
      external: ["koffi"],
      format: "esm",
      platform: "node",
      splitting: true,
    };
    const use = fileURLToPath(USE);
    const worker = fileURLToPath(WORKER);
    await build({ ...options, entryPoints: { use, worker }, outdir: join(folder, "dist") });
    await build({ ...options, entryPoints: { use }, outdir: join(folder, "alone") });
  });

  after(() => rmSync(folder, { recursive: true }));
  const file = (...path: string[]) => pathToFileURL(join(folder, ...path));

  it("starts the Worker file beside its chunks", async () => {
    assert.ok(existsSync(file("dist", "worker.js")));
    assert.equal(await run(file("dist", "use.js")), READY);
  });

  it("that lost the Worker file says so", async () => {
    assert.match(await run(file("alone", "use.js")), REMEDY);
  });

  it("that lost the Worker file starts what SLUICE_WORKER names", async () => {
    const SLUICE_WORKER = fileURLToPath(file("dist", "worker.js"));
    assert.equal(await run(file("alone", "use.js"), { env: { SLUICE_WORKER } }), READY);
  });
});
