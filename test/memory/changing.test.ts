import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runtime } from "../../ffi/mod.ts";
import { join } from "node:path";
import { runChild } from "../_kit/child.ts";
import { withFileAsync } from "../_kit/temp.ts";

const PROGRAM = new URL("./_fixtures/changing.ts", import.meta.url);

const FLAGS: Record<string, string[]> = {
  node: ["--expose-gc"],
  deno: ["--v8-flags=--expose-gc", "-A"],
  bun: [],
};

describe("memory whose properties change between two looks at them", () => {
  for (const seed of [1, 2, 3]) {
    it(`is read and written where it is, and nothing beside it (${seed})`, () =>
      withFileAsync("", async (_, path) => {
        const options = {
          args: [join(path, ".."), String(seed), "40"],
          flags: FLAGS[runtime().name]!,
        };
        const result = await runChild(PROGRAM, options);
        assert.deepEqual([result.signal, result.code], [null, 0], result.stdout + result.stderr);
        assert.match(result.stdout, /alive\n$/);
      }));
  }
});
