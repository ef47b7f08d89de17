import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runtime } from "../../../ffi/mod.ts";
import { runChild } from "../../_kit/child.ts";

const PROGRAM = new URL("../_fixtures/dropped.ts", import.meta.url);
const GC: Record<string, string[]> = {
  node: ["--expose-gc"],
  deno: ["--v8-flags=--expose-gc", "-A"],
  bun: [],
};
const flags = GC[runtime().name]!;

describe("a mapping that is dropped without close()", () => {
  it("is told of once, and by its place in debug mode", async () => {
    const quiet = await runChild(PROGRAM, { flags, args: ["drop"] });
    assert.equal(quiet.code, 0, quiet.stderr);
    const warnings = quiet.stderr.match(/dropped without close/g);
    assert.equal(warnings?.length, 1, quiet.stderr);
    assert.match(quiet.stderr, /SLUICE_DEBUG/);
    const env = { SLUICE_DEBUG: "1" };
    const loud = await runChild(PROGRAM, { flags, args: ["drop"], env });
    assert.match(loud.stderr, /it was opened[\s\S]*dropped\.ts/);
  });

  it("is not dropped while one of its views is there", async () => {
    const { code, stderr, stdout } = await runChild(PROGRAM, { flags, args: ["keep"] });
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /dropped/);
    assert.match(stdout, /still 65/);
  });

  it("is not told of when it was closed", async () => {
    const { code, stderr } = await runChild(PROGRAM, { flags, args: ["close"] });
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /dropped/);
  });
});
