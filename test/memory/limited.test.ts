import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runChild } from "../_kit/child.ts";

const PROGRAM = new URL("./_fixtures/limited.ts", import.meta.url);

const NO_PRLIMIT: string | false = spawnSync("prlimit", ["--version"]).status !== 0 &&
  "prlimit is not installed";

function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "sluice-test", folder]);
  if (status === 0) spawnSync("umount", [folder]);
  rmdirSync(folder);
  return status === 0;
}

const NO_MOUNT: string | false = !mayMount() && "no file system may be mounted here";

const POOL = /HugePages_Free:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
const NO_POOL: string | false = Number(POOL) < 8 && "this system has no pool of huge pages";

async function survives(way: string): Promise<void> {
  const result = await runChild(PROGRAM, { args: [way], timeoutMs: 30_000 });
  assert.deepEqual([result.signal, result.code], [null, 0], result.stdout + result.stderr);
  assert.match(result.stdout, /alive/);
}

describe("a system that sets memory aside for private pages", () => {
  it(
    "refuses to show a large file, and reads it",
    { skip: NO_PRLIMIT, timeout: 60_000 },
    () => survives("read"),
  );

  it(
    "truncates and closes a shared mapping",
    { skip: NO_PRLIMIT, timeout: 60_000 },
    () => survives("write"),
  );
});

describe("a full disk", () => {
  it(
    "loses stores, and flush() and close() throw EIO",
    { skip: NO_MOUNT, timeout: 60_000 },
    () => survives("full"),
  );
});

describe("a file in huge pages", () => {
  it(
    "is truncated and closed",
    { skip: NO_MOUNT || NO_POOL, timeout: 60_000 },
    () => survives("huge"),
  );
});
