/** The commands of docs/faq.md make bundles that work, with every kind of thread. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { consumer, makeOncePerRun, runJson } from "../_kit/package.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FAQ = readFileSync(join(ROOT, "docs/faq.md"), "utf8");

const { bun, deno, node } = process.versions;
/** A folder into which npm has installed rollup with its plugin node-resolve, webpack-cli and vite. */
const BUNDLERS = process.env["SLUICE_TEST_BUNDLERS"];

const NO_BUNDLERS = BUNDLERS === undefined ? "SLUICE_TEST_BUNDLERS names no folder" : false;
const NOT_BUN = bun === undefined ? "Bun compiles programs for Bun" : false;
const NO_DENORT = deno === undefined
  ? "Deno compiles programs for Deno"
  : process.env["DENORT_BIN"] === undefined
  ? "deno compile downloads its base; DENORT_BIN names one"
  : false;
const NO_SEA = bun !== undefined || deno !== undefined
  ? "an application of Node.js"
  : Number(node.split(".")[0]) < 26
  ? "this Node.js has no --build-sea"
  : false;

/** Serves a file by threads, relays it by others, and copies it. */
const APP = `
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyFile, createRelay } from "sluice";
import { createFileServer } from "sluice/http";

async function main() {
  const root = mkdtempSync(join(tmpdir(), "sluice-bundle-"));
  const text = "sluice".repeat(100_000);
  writeFileSync(join(root, "file.txt"), text);
  const server = createFileServer({ root, threads: 2 });
  const { port } = await server.listen();
  const relay = createRelay({ listen: "127.0.0.1:0", upstream: "127.0.0.1:" + port });
  const address = await relay.listen();
  const get = async (port) => {
    const headers = { connection: "close" };
    const response = await fetch("http://127.0.0.1:" + port + "/file.txt", { headers });
    return (await response.text()) === text;
  };
  const outcome = { served: await get(port), relayed: await get(address.port) };
  await copyFile(join(root, "file.txt"), join(root, "copy"));
  outcome.copied = readFileSync(join(root, "copy"), "utf8") === text;
  await relay.close();
  await server.close({ graceMs: 0 });
  rmSync(root, { recursive: true });
  return { ...outcome, method: relay.method };
}
main().then((outcome) => console.log(JSON.stringify(outcome)), (error) => {
  console.error(error);
  process.exitCode = 1;
});
`;

const USED = { served: true, relayed: true, copied: true, method: "splice" };

describe("the bundles of docs/faq.md", () => {
  const own = bun !== undefined ? "bun" : deno !== undefined ? "deno" : `node${node}`;
  let project: string;

  before(() => {
    project = join(consumer(), `bundles-${own}-${process.env["SLUICE_FFI"] ?? ""}`);
    mkdirSync(join(project, "node_modules"), { recursive: true });
    const put = (name: string, text: string) => writeFileSync(join(project, name), text);
    put("package.json", `{ "private": true, "type": "module" }`);
    put("app.js", APP);
    put("worker.js", `import "sluice/worker";\n`);
    for (const [, name, text] of FAQ.matchAll(/```js\n\/\/ (\S+)\n(.*?)```/gs)) put(name!, text!);
    put("sea.json", /^echo '(.*)' > sea.json$/m.exec(FAQ)![1]!);
    if (BUNDLERS === undefined) return;
    const plugins = join(project, "node_modules/@rollup");
    if (!existsSync(plugins)) symlinkSync(join(BUNDLERS, "node_modules/@rollup"), plugins);
  });
  after(() => rmSync(project, { recursive: true, force: true }));

  /** The line that begins so. */
  function commandLine(beginning: string): string {
    const line = FAQ.split("\n").find((line) => line.startsWith(beginning));
    assert.ok(line !== undefined, `the page has no command "${beginning}"`);
    return line;
  }

  /**
   * Runs the lines that begin so, as they are printed; each must be there. Tools of Node.js make the same
   * folder `out` on every runtime: `made` names what they depend on, and each is run once.
   */
  function commands(beginnings: readonly string[], made?: string): void {
    const lines = beginnings.map(commandLine);
    const out = join(project, "out");
    rmSync(out, { recursive: true, force: true });
    if (made === undefined) runLines(lines);
    else makeOncePerRun(`bundle ${made}`, out, () => runLines(lines));
  }

  function runLines(lines: readonly string[]): void {
    for (const line of lines) {
      const [tool, ...args] = line.split(" ");
      const { status, stdout, stderr } = spawnSync(...commandOf(tool!, args), {
        cwd: project,
        encoding: "utf8",
        timeout: 120_000,
      });
      assert.equal(status, 0, `${line}\n${stdout}\n${stderr}`);
    }
  }

  /** The running runtime is the tool itself, or starts it: the machine's own Node.js may be old. */
  function commandOf(tool: string, args: string[]): [string, string[]] {
    if (tool === "bun" || tool === "deno") return [process.execPath, args];
    const started = join(ROOT, "node_modules/node/bin/node");
    if (tool === "node") return [process.execPath, args];
    if (tool === "esbuild") return [join(ROOT, "node_modules/.bin/esbuild"), args];
    return [started, [join(BUNDLERS!, "node_modules/.bin", tool), ...args]];
  }

  function run(file: string): unknown {
    const options = { cwd: tmpdir(), encoding: "utf8", timeout: 60_000 } as const;
    const { status, stdout, stderr } = spawnSync(join(project, file), options);
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    return JSON.parse(stdout);
  }

  it("of esbuild", () => {
    commands(["esbuild app.js worker.js --bundle --platform=node --format=esm"], "of esbuild");
    assert.deepEqual(runJson(join(project, "out/app.js")), USED);
  });

  for (const tool of ["rollup", "webpack", "vite"]) {
    it(`of ${tool}`, { skip: NO_BUNDLERS }, () => {
      commands([`${tool} `], `of ${tool}`);
      assert.deepEqual(runJson(join(project, "out/app.js")), USED);
    });
  }

  it("of Bun", { skip: NOT_BUN }, () => {
    commands(["bun build app.js"]);
    assert.deepEqual(runJson(join(project, "out/app.js")), USED);
  });

  it("compiled by Bun", { skip: NOT_BUN }, () => {
    commands(["bun build --compile"]);
    assert.deepEqual(run("app"), USED);
  });

  it("compiled by Deno", { skip: NO_DENORT }, () => {
    commands(["deno compile"]);
    assert.deepEqual(run("app"), USED);
  });

  it("as an executable of Node.js", { skip: NO_SEA }, () => {
    const beginning = "esbuild app.js worker.js --bundle --platform=node --format=cjs";
    commands([beginning, "node --build-sea sea.json"], `for Node.js ${node}`);
    writeFileSync(join(project, "out/package.json"), `{ "type": "commonjs" }`);
    assert.deepEqual(run("out/app"), USED);
  });
});
