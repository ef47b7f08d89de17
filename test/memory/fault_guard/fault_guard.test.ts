import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runtime } from "../../../ffi/mod.ts";
import { guardCode, SIGNATURE_LENGTH } from "../../../src/memory/fault_guard/code.ts";
import { capabilities } from "../../../src/mod.ts";
import { runChild } from "../../_kit/child.ts";

const FOLDER = new URL("../../../src/memory/fault_guard/", import.meta.url);
const PROGRAM = new URL("../_fixtures/signals.ts", import.meta.url);
const HOST = process.arch as "x64" | "arm64";

/** Prefixes of the binutils for each processor. */
const TOOLS = {
  x64: HOST === "x64" ? "" : "x86_64-linux-gnu-",
  arm64: HOST === "arm64" ? "" : "aarch64-linux-gnu-",
} as const;

function has(tool: string): boolean {
  return spawnSync(tool, ["--version"]).status === 0;
}

describe("the code of the fault guard", () => {
  for (const arch of ["x64", "arm64"] as const) {
    const as = `${TOOLS[arch]}as`;
    const objcopy = `${TOOLS[arch]}objcopy`;
    const skip = !(has(as) && has(objcopy)) && `${as} and ${objcopy} are not installed`;

    it(`is what ${arch}.s assembles to`, { skip }, () => {
      const folder = mkdtempSync(join(tmpdir(), "sluice-"));
      try {
        const [object, binary] = [join(folder, "code.o"), join(folder, "code.bin")];
        execFileSync(as, [fileURLToPath(new URL(`${arch}.s`, FOLDER)), "-o", object]);
        execFileSync(objcopy, ["-O", "binary", "-j", ".text", object, binary]);
        assert.deepEqual(guardCode(arch), new Uint8Array(readFileSync(binary)));
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    it(`begins with its signature and fits before its table, ${arch}`, () => {
      const code = guardCode(arch);
      const signature = new TextDecoder().decode(code.subarray(0, SIGNATURE_LENGTH));
      assert.equal(signature, "sluice guard 1\n\0");
      assert.ok(code.length < 4096);
    });
  }
});

/** Node.js and Deno leave SIGBUS alone; Bun reports the crash and dies of another signal. */
const DIES_OF = runtime().name === "bun" ? ["SIGBUS", "SIGTRAP", "SIGILL"] : ["SIGBUS"];

/** Rust's handler detects stack overflows, and removes itself on any other fault. */
const FORGETS: string | false = runtime().name === "deno" &&
  "Deno's own handler survives a SIGBUS that is sent";

describe("the fault guard", () => {
  it("is not installed by an import, nor by asking for it", async () => {
    const { stdout, code, stderr } = await runChild(PROGRAM, { args: ["idle"] });
    assert.deepEqual([stdout.trim(), code], ["idle idle", 0], stderr);
  });

  it("tells when it is active", () => {
    const { state, reason } = capabilities().faultGuard;
    assert.equal(["active", "idle"].includes(state), true);
    assert.equal(reason, null);
  });

  it("leaves faults outside of its ranges to what was there before", async () => {
    const { signal, stdout } = await runChild(PROGRAM, { args: ["elsewhere"] });
    assert.match(stdout, /touching$/m);
    assert.ok(DIES_OF.includes(signal!), String(signal));
  });

  it("lets SIGBUS that is sent have its default effect", { skip: FORGETS }, async () => {
    const { signal } = await runChild(PROGRAM, { args: ["sent"] });
    assert.ok(DIES_OF.includes(signal!), String(signal));
  });

  it("leaves SIGBUS that is ignored ignored, and still guards", async () => {
    const { code, signal, stdout, stderr } = await runChild(PROGRAM, { args: ["ignored"] });
    assert.deepEqual([code, signal], [0, null], stderr);
    assert.match(stdout, /survived/);
  });

  it("calls the handler that was there before, with its arguments", async () => {
    const { code, signal, stdout, stderr } = await runChild(PROGRAM, { args: ["chained"] });
    assert.deepEqual([code, signal], [0, null], stderr);
    assert.match(stdout, /handler called/);
  });

  it("is in code that nobody can write", async () => {
    const { code, stdout, stderr } = await runChild(PROGRAM, { args: ["sealed"] });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /r-xs/);
  });

  it("says so where executable memory is refused, and reads are still checked", async () => {
    const { code, stdout, stderr } = await runChild(PROGRAM, { args: ["refused"] });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /unavailable .*executable memory/);
  });

  it("says when a handler has replaced it", async () => {
    const { code, stdout, stderr } = await runChild(PROGRAM, { args: ["replaced"] });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /replaced/);
  });

  it(
    "survives ranges that come and go while other threads fault",
    { timeout: 100_000 },
    async () => {
      const result = await runChild(PROGRAM, { args: ["threads"], timeoutMs: 60_000 });
      assert.deepEqual([result.code, result.signal], [0, null], result.stdout + result.stderr);
      assert.match(result.stdout, /no crash/);
    },
  );
});
