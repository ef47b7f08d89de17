/** A project with the package installed, as users have it. @module */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

let folder: string | undefined;

/**
 * The folder of the project.
 *
 * Created once per `npm test`, from a fresh `npm pack`, without the registry: koffi and the types
 * are linked from the checkout. `SLUICE_TEST_CONSUMER` names one that npm has installed.
 */
export function consumer(): string {
  if (folder !== undefined) return folder;
  folder = process.env["SLUICE_TEST_CONSUMER"] ?? join(runFolder(), "consumer");
  if (!existsSync(join(folder, "node_modules/sluice"))) install(folder);
  for (const name of ["koffi", "@types"]) {
    const link = join(folder, "node_modules", name);
    if (!existsSync(link)) symlinkSync(join(ROOT, "node_modules", name), link);
  }
  return folder;
}

/** Writes a file into the project; returns its path. */
export function write(name: string, content: string | Uint8Array): string {
  const path = join(consumer(), name);
  writeFileSync(path, content);
  return path;
}

/** Arguments that make the current runtime run a program. */
export function programArgs(script: string): string[] {
  const prefix = process.versions["deno"] === undefined ? [] : ["run", "--allow-all", "--quiet"];
  return [...prefix, script];
}

/** Runs a script of the project on the current runtime; returns its output as JSON. */
export function runJson(script: string, env: Record<string, string> = {}): unknown {
  // From another folder: nothing may be resolved from the current folder.
  const { stdout, stderr, status } = spawnSync(process.execPath, programArgs(script), {
    cwd: tmpdir(),
    env: { ...process.env, ...env },
    encoding: "utf8",
    timeout: 60_000,
  });
  if (status !== 0) throw new Error(`${script} ended with ${status}\n${stdout}${stderr}`);
  return JSON.parse(stdout);
}

/** Runs a development tool of the checkout in the project. */
export function tool(
  name: "attw" | "esbuild" | "publint" | "tsc" | "tsup",
  ...args: string[]
): void {
  const command = join(ROOT, "node_modules/.bin", name);
  const options = { cwd: consumer(), encoding: "utf8", timeout: 60_000 } as const;
  const { stdout, stderr, status } = spawnSync(command, args, options);
  if (status !== 0) throw new Error(`${name} ended with ${status}\n${stdout}${stderr}`);
}

/**
 * Runs a check once per `npm test` if its result is the same on every runtime: tools that run on
 * Node.js, on a package that exists once.
 */
export function oncePerRun(name: string, check: () => void): void {
  const shared = process.env["SLUICE_TEST_DIR"];
  const marker = shared === undefined ? undefined : join(shared, `checked ${name}`);
  if (marker !== undefined && existsSync(marker)) return;
  check();
  // Write it last: a failure must show on every runtime.
  if (marker !== undefined) writeFileSync(marker, "");
}

/** Shared by all runtimes of one `npm test`; a manual run creates and removes its own. */
function runFolder(): string {
  const shared = process.env["SLUICE_TEST_DIR"];
  if (shared !== undefined) return shared;
  const own = mkdtempSync(join(tmpdir(), "sluice-package-"));
  process.once("exit", () => rmSync(own, { recursive: true, force: true }));
  return own;
}

function install(project: string): void {
  const target = join(project, "node_modules/sluice");
  mkdirSync(target, { recursive: true });
  const pack = ["pack", "--silent", "--pack-destination", project];
  const name = execFileSync("npm", pack, { cwd: ROOT, encoding: "utf8" }).trim().split("\n").at(
    -1,
  )!;
  execFileSync("tar", ["-xzf", join(project, name), "-C", target, "--strip-components=1"]);
  const manifest = { private: true, type: "module", dependencies: { sluice: "*" } };
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
}
