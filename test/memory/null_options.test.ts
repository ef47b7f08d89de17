import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { capabilities, DirectFile, MappedFile } from "../../src/mod.ts";
import { withFile, withFileAsync } from "../_kit/temp.ts";

const REFUSAL = { name: "TypeError", message: /: options must be an object, not null$/ };
const wrong = null as never;

describe("null for options is refused by name", () => {
  it("by capabilities()", () => {
    assert.throws(() => capabilities(wrong), REFUSAL);
  });

  it("by flush() of a mapping", () =>
    withFile("text", (_, path) => {
      const map = MappedFile.open(path);
      assert.throws(() => map.flush(undefined, wrong), REFUSAL);
      map.close();
    }));

  it("by DirectFile.open() and sync()", () =>
    withFileAsync("text", async (_, path) => {
      await assert.rejects(DirectFile.open(path, wrong), REFUSAL);
      const file = await DirectFile.open(path);
      await assert.rejects(file.sync(wrong), REFUSAL);
      await file.close();
    }));
});
