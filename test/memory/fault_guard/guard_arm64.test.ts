import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { guardCode } from "../../../src/memory/fault_guard/code.ts";

const SOURCE = fileURLToPath(new URL("../_fixtures/guard_arm64.s", import.meta.url));
const NATIVE = process.arch === "arm64";
const PREFIX = NATIVE ? "" : "aarch64-linux-gnu-";
const EMULATOR = NATIVE ? [] : ["qemu-aarch64", "qemu-aarch64-static"].filter(has).slice(0, 1);

function has(tool: string): boolean {
  return spawnSync(tool, ["--version"]).status === 0;
}

const MISSING: string | false =
  !(has(`${PREFIX}as`) && has(`${PREFIX}ld`) && (NATIVE || EMULATOR.length > 0)) &&
  `${PREFIX}as, ${PREFIX}ld and qemu-aarch64 are not installed`;

describe("the fault guard of arm64", () => {
  let folder = "";
  let program: string[] = [];

  before(() => {
    if (MISSING) return;
    folder = mkdtempSync(join(tmpdir(), "sluice-"));
    writeFileSync(join(folder, "guard.bin"), guardCode("arm64"));
    execFileSync(`${PREFIX}as`, [SOURCE, "-o", "guard.o"], { cwd: folder });
    execFileSync(`${PREFIX}ld`, ["guard.o", "-o", "guard"], { cwd: folder });
    program = [...EMULATOR, join(folder, "guard")];
  });
  after(() => {
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  it("lays zeroes over the missing pages, and marks the range", { skip: MISSING }, () => {
    const { status, signal } = spawnSync(program[0]!, program.slice(1));
    assert.deepEqual([status, signal], [0, null], "the status is the number of a failed check");
  });

  it("leaves other faults to what was there before", { skip: MISSING }, () => {
    const { signal } = spawnSync(program[0]!, [...program.slice(1), "elsewhere"]);
    assert.equal(signal, "SIGBUS");
  });
});
