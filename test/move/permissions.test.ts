/** A runtime that may read some files only: our own way to open one must not pass by that. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runtime } from "../../ffi/mod.ts";

const PROBE = fileURLToPath(new URL("../_kit/send_probe.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Where koffi is; may be a link. */
const MODULES = realpathSync(join(ROOT, "node_modules"));

const { name } = runtime();
const NO_PERMISSIONS: string | false = name === "bun" && "Bun has no permissions";

const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const allowed = join(folder, "allowed");
mkdirSync(allowed);
writeFileSync(join(allowed, "open.txt"), "open");
writeFileSync(join(folder, "secret.txt"), "secret");

after(() => rmSync(folder, { recursive: true }));

function send(path: string): { bytes?: number; name?: string; code?: string } {
  const node = ["--permission", "--allow-addons", "--allow-worker"];
  if (process.allowedNodeEnvironmentFlags.has("--allow-ffi")) node.push("--allow-ffi");
  const flags = name === "deno"
    ? ["run", "--no-check", "--no-prompt", "--allow-ffi", "--allow-env", `--allow-read=${allowed}`]
    : [
      ...node,
      `--allow-fs-read=${ROOT}*`,
      `--allow-fs-read=${MODULES}/*`,
      `--allow-fs-read=${allowed}/*`,
    ];
  // By way of a shell: where Deno recognises its own path it hands its permissions on.
  const { stdout, stderr } = spawnSync("/bin/sh", [
    "-c",
    'exec "$RUNTIME" "$@"',
    "sh",
    ...flags,
    PROBE,
    path,
  ], {
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, NODE_OPTIONS: "", RUNTIME: process.execPath },
  });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

const MOD = new URL("../../src/mod.ts", import.meta.url).href;
const ONLY_NODE: string | false = name !== "node" && "only Node.js has --allow-net for threads";
const NO_NET = ONLY_NODE || !process.allowedNodeEnvironmentFlags.has("--allow-net") &&
    "this Node.js has no --allow-net";

/** Opens and reads a file in a thread ten times; prints the error, and the descriptors that are left. */
const THREADS = `
  import { readdirSync } from "node:fs";
  import { DirectFile } from ${JSON.stringify(MOD)};
  const count = () => readdirSync("/proc/self/fd").length;
  let before, error = null;
  for (let i = 0; i < 10; i++) {
    try {
      const file = await DirectFile.open(process.execPath);
      await file.read(new Uint8Array(4096), 0);
      await file.close();
    } catch ({ name, message }) {
      error = { name, message };
    }
    before ??= count();
  }
  console.log(JSON.stringify({ error, left: count() - before }));
  process.exit();
`;

/** Results of the threads. */
interface Outcome {
  readonly error: { readonly name: string; readonly message: string } | null;
  readonly left: number;
}

function runThreads(...more: string[]): Outcome {
  const program = join(allowed, "threads.mjs");
  writeFileSync(program, THREADS);
  const flags = ["--permission", "--allow-addons", "--allow-worker", "--allow-fs-read=*", ...more];
  if (process.allowedNodeEnvironmentFlags.has("--allow-ffi")) flags.push("--allow-ffi");
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, program], {
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

describe("threads under the permissions of Node.js", () => {
  it("work, or say which permission they lack", { skip: ONLY_NODE }, () => {
    const { error, left } = runThreads();
    if (error !== null) {
      assert.equal(error.name, "UnsupportedError");
      assert.match(error.message, /--allow-net/);
    }
    assert.equal(left, 0);
  });

  it("work with --allow-net", { skip: NO_NET }, () => {
    assert.deepEqual(runThreads("--allow-net"), { error: null, left: 0 });
  });
});

describe("sendFile() under the permissions of the runtime", () => {
  it("sends what may be read", { skip: NO_PERMISSIONS }, () => {
    assert.deepEqual(send(join(allowed, "open.txt")), { bytes: 4 });
  });

  it("refuses what may not be read, though foreign calls are allowed", {
    skip: NO_PERMISSIONS,
  }, () => {
    const { bytes, name, code } = send(join(folder, "secret.txt"));
    assert.equal(bytes, undefined);
    assert.match(`${name} ${code}`, /NotCapable|ERR_ACCESS_DENIED|EACCES|EPERM/);
  });
});
