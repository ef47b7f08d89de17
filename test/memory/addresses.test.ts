import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { runtime } from "../../ffi/mod.ts";
import { runChild } from "../_kit/child.ts";
import { withFileAsync } from "../_kit/temp.ts";

const PROGRAM = new URL("./_fixtures/addresses.ts", import.meta.url);
const FLAGS: Record<string, string[]> = {
  node: ["--expose-gc"],
  deno: ["--v8-flags=--expose-gc", "-A"],
  bun: [],
};
const NO_PRLIMIT = spawnSync("prlimit", ["--version"]).status === 0 ? false : "prlimit is not here";

function runs(way: string): Promise<void> {
  return withFileAsync("", async (_, path) => {
    const options = { args: [way, path], flags: FLAGS[runtime().name]!, timeoutMs: 120_000 };
    const { code, signal, stdout, stderr } = await runChild(PROGRAM, options);
    assert.deepEqual([signal, code], [null, 0], stdout + stderr);
    assert.match(stdout, /^alive/m);
  });
}

describe("addresses", () => {
  it("of a closed mapping are given back when there are no others", {
    skip: NO_PRLIMIT,
    timeout: 150_000,
  }, () => runs("sparse"));

  it("do not come to their end by many small mappings", { timeout: 150_000 }, () => runs("many"));
});
