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
