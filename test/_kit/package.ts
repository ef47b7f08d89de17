/** A project with the package installed, as users have it. @module */

import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

let folder: string | undefined;

/**
 * The folder of a project of this test file's own, so that files of tests can run beside each other.
 *
 * The package in it comes from one fresh `npm pack` for each `npm test`, without the registry: koffi and
 * the types are linked from the checkout. `SLUICE_TEST_CONSUMER` names a project in which npm has
 * installed the package.
 */
export function consumer(): string {
  if (folder !== undefined) return folder;
  const project = process.env["SLUICE_TEST_CONSUMER"] ?? join(runFolder(), "consumer");
  oncePerRun("package", () => {
    if (!existsSync(join(project, "node_modules/sluice"))) install(project);
  });
  folder = mkdtempSync(join(runFolder(), "project-"));
  const own = folder;
  process.once("exit", () => rmSync(own, { recursive: true, force: true }));
  const modules = join(own, "node_modules");
  mkdirSync(modules);
  const linked = { koffi: ROOT, "@types": ROOT, ...installedIn(project) };
  for (const [name, from] of Object.entries(linked)) {
    // A copy, because what a link leads to belongs to the other project.
    if (name === "sluice") copyFolder(join(from, "node_modules", name), join(modules, name));
    else symlinkSync(join(from, "node_modules", name), join(modules, name));
  }
  copyFileSync(join(project, "package.json"), join(own, "package.json"));
  return own;
}

/** Names in a project's `node_modules`, each with the project. */
function installedIn(project: string): Record<string, string> {
  const names = readdirSync(join(project, "node_modules"));
  return Object.fromEntries(names.map((name) => [name, project]));
}

/** Copies a folder to where there is nothing yet. */
export function copyFolder(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  execFileSync("cp", ["-a", from, to]);
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

/** Between two looks whether another process is done. */
const LOOK_MS = 50;

/**
 * Runs a check once per `npm test` if its result is the same on every runtime: tools that run on
 * Node.js, on a package that exists once. Waits if another process has begun it. A failure shows on
 * every runtime, because each then tries for itself.
 */
export function oncePerRun(name: string, check: () => void): void {
  const shared = process.env["SLUICE_TEST_DIR"];
  if (shared === undefined) return check();
  const done = join(shared, `checked ${name}`);
  const begun = join(shared, `checking ${name}`);
  while (!existsSync(done)) {
    if (!claims(begun)) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
      continue;
    }
    try {
      if (existsSync(done)) return;
      check();
      // Write it last: a failure must show on every runtime.
      writeFileSync(done, "");
    } finally {
      unlinkSync(begun);
    }
  }
}

/** Makes a link that names this process, unless that of a living process is there. */
function claims(path: string): boolean {
  try {
    symlinkSync(String(process.pid), path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  try {
    const holder = readlinkSync(path);
    if (!existsSync(`/proc/${holder}`)) unlinkSync(path);
  } catch {
    // The other process is done.
  }
  return false;
}

/**
 * Makes a folder once per `npm test`, for a result that is the same on every runtime, such as a bundle.
 * The files that ask for it later get a copy.
 */
export function makeOncePerRun(name: string, target: string, make: () => void): void {
  const shared = process.env["SLUICE_TEST_DIR"];
  if (shared === undefined) return make();
  const kept = join(shared, `made ${name}`);
  oncePerRun(name, () => {
    make();
    rmSync(kept, { recursive: true, force: true });
    copyFolder(target, kept);
  });
  if (!existsSync(target)) copyFolder(kept, target);
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
