/** The package managers of README.md install what works. */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { consumer, oncePerRun } from "../_kit/package.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const BIN = join(ROOT, "node_modules/.bin");
/** A folder into which npm has installed pnpm and @yarnpkg/cli-dist. */
const TOOLS = process.env["SLUICE_TEST_BUNDLERS"];
const NO_TOOLS = TOOLS === undefined ? "SLUICE_TEST_BUNDLERS names no folder" : false;

const CHECK = `import("sluice").then(async (sluice) => {
  const { createFileServer } = await import("sluice/http");
  const server = createFileServer({ root: "." });
  const { port } = await server.listen();
  const { status } = await fetch("http://127.0.0.1:" + port + "/package.json");
  await server.close();
  console.log(sluice.capabilities().backend, status);
});`;

describe("the package managers of README.md", { skip: NO_TOOLS }, () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-managers-"));
  after(() => rmSync(folder, { recursive: true }));

  /** The command that the README prints after a name, with the tarball instead of the name. */
  function printed(manager: string, tarball: string): string[] {
    const [, line] = new RegExp(`^(${manager} add sluice\\b[^#\\n]*)`, "m").exec(README)!;
    return line!.trim().split(" ").slice(1).map((arg) => arg === "sluice" ? tarball : arg);
  }

  /** An empty project beside a tarball of the package. */
  function project(name: string): { path: string; tarball: string } {
    const path = mkdtempSync(join(folder, `${name}-`));
    const tarball = join(path, "sluice.tgz");
    const from = join(consumer(), "node_modules");
    const rename = ["--transform", "s,^sluice,package,"];
    execFileSync("tar", ["-czf", tarball, ...rename, "-C", from, "sluice"]);
    writeFileSync(join(path, "package.json"), JSON.stringify({ private: true, type: "module" }));
    return { path, tarball };
  }

  function run(cwd: string, command: string, args: readonly string[]): string {
    // Their own Node.js is the one of the checkout.
    const env = {
      ...process.env,
      PATH: `${BIN}:${process.env["PATH"]}`,
      SLUICE_FFI: "",
      NODE_OPTIONS: "",
      CI: "1",
      YARN_ENABLE_GLOBAL_CACHE: "0",
    };
    const { status, stdout, stderr } = spawnSync(command, args, {
      cwd,
      env,
      encoding: "utf8",
      timeout: 120_000,
    });
    assert.equal(status, 0, `${command} ${args.join(" ")}\n${stdout}${stderr}`);
    return stdout;
  }

  it("pnpm adds it, and installs it again from its lock file", () => {
    oncePerRun("pnpm", () => {
      const { path, tarball } = project("pnpm");
      const pnpm = join(TOOLS!, "node_modules/.bin/pnpm");
      const store = `--store-dir=${join(folder, "store")}`;
      run(path, pnpm, [...printed("pnpm", tarball), store]);
      rmSync(join(path, "node_modules"), { recursive: true });
      run(path, pnpm, ["install", "--frozen-lockfile", store]);
      assert.equal(run(path, "node", ["-e", CHECK]).trim(), "koffi 200");
    });
  });

  it("yarn adds it by Plug'n'Play", () => {
    oncePerRun("yarn", () => {
      const { path, tarball } = project("yarn");
      writeFileSync(join(path, "yarn.lock"), "");
      const yarn = join(TOOLS!, "node_modules/@yarnpkg/cli-dist/bin/yarn.js");
      run(path, "node", [yarn, ...printed("yarn", `sluice@file:${tarball}`)]);
      assert.ok(readdirSync(path).includes(".pnp.cjs"), "there is no node_modules");
      run(path, "node", [yarn, "install", "--immutable"]);
      assert.equal(run(path, "node", [yarn, "node", "-e", CHECK]).trim(), "koffi 200");
    });
  });
});
