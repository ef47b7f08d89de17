import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Folder, noise } from "../_kit/bytes.ts";

const MIB = 1024 * 1024;
const FIXTURE = fileURLToPath(new URL("./_fixtures/full_disk.ts", import.meta.url));
const folder = new Folder();

interface Result {
  name: string;
  code: string | null;
  bytesMoved: number | null;
  left: string[];
}

/** Runs the fixture behind a shell command that sets its limits. */
function run(prefix: string, source: string, target: string): Result[] {
  const deno = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const { stdout, stderr, status } = spawnSync(
    "/bin/bash",
    ["-c", `${prefix}exec "$@"`, "bash", process.execPath, ...deno, FIXTURE, source, target],
    { encoding: "utf8", timeout: 60_000 },
  );
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

describe("a limit of file sizes", () => {
  it("is EFBIG with the bytes that were moved, and no copy is left", () => {
    const source = folder.file(noise(3 * MIB));
    const target = join(folder.path, "limited");
    // Deno does not ignore this signal by itself, and dies of it.
    mkdirSync(target);
    const results = run(`trap "" XFSZ; ulimit -f ${1024 * 2}; `, source, target);
    assert.equal(results.length, 19);
    for (const { name, code, bytesMoved, left } of results) {
      assert.equal(code, "EFBIG", name);
      assert.ok(bytesMoved! > 0 && bytesMoved! <= 2 * MIB, `${name}: ${bytesMoved}`);
      assert.deepEqual(left, [], name);
    }
  });
});

const small = join(folder.path, "small");
mkdirSync(small);
const mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "sluice-test", small];
const mounted = process.getuid?.() === 0 && spawnSync(mount[0]!, mount.slice(1)).status === 0;
const NO_MOUNT = mounted ? false : "a small file system can be mounted by root only";

describe("a full disk", () => {
  after(() => {
    if (mounted) execFileSync("umount", [small]);
    folder.remove();
  });

  it("is ENOSPC, and no copy is left", { skip: NO_MOUNT }, () => {
    const source = folder.file(noise(3 * MIB));
    for (const { name, code, bytesMoved, left } of run("", source, small)) {
      // Between file systems of two types copy_file_range(2) does not go; tmpfs may lack O_DIRECT.
      const refused = name.includes("range") ? "EXDEV" : "ERR_SLUICE_UNSUPPORTED";
      if (/range|direct/.test(name) && code === refused) continue;
      assert.equal(code, "ENOSPC", name);
      assert.ok(bytesMoved! <= 2 * MIB, `${name}: ${bytesMoved}`);
      assert.deepEqual(left, [], name);
    }
  });
});
