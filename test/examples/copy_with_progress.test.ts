import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { Folder, noise } from "../_kit/bytes.ts";
import { runChild } from "../_kit/child.ts";

const EXAMPLE = new URL("../../examples/copy_with_progress.ts", import.meta.url);
const folder = new Folder();
after(() => folder.remove());

describe("examples/copy_with_progress.ts", () => {
  it("copies a file and says how", async () => {
    const bytes = noise(3_000_000);
    const source = folder.file(bytes);
    const target = join(folder.path, "target");
    const { code, stdout, stderr } = await runChild(EXAMPLE, {
      args: [source, target],
      timeoutMs: 60_000,
    });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^3000000 bytes by \w+ in [\d.]+ ms\n$/);
    assert.match(stderr, /100 %/);
    assert.ok(readFileSync(target).equals(bytes));
  });

  it("says what is wrong", async () => {
    const { code, stderr } = await runChild(EXAMPLE, {
      args: [join(folder.path, "none"), "x"],
      timeoutMs: 60_000,
    });
    assert.equal(code, 1);
    assert.match(stderr, /ENOENT: Cannot open/);
    assert.equal((await runChild(EXAMPLE, { timeoutMs: 60_000 })).code, 2);
  });
});
