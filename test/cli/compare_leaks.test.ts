/** The parts of `sluice compare` close what they open, even on errors. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, it } from "node:test";
import { compare, type Plan } from "../../src/cli/compare/comparison.ts";
import { checksum, generate } from "../../src/cli/compare/input.ts";
import { Page } from "../../src/cli/compare/page/file.ts";
import { cachedBytes, drop, warm } from "../../src/cli/compare/system/page_cache.ts";
import { capabilities } from "../../src/mod.ts";
import { Folder, noise } from "../_kit/bytes.ts";
import { describeWithoutLeaks } from "../_kit/leaks.ts";

const NO_DEV_FULL = existsSync("/dev/full") ? false : "there is no /dev/full";
const folder = new Folder();
after(() => folder.remove());
const missing = join(folder.path, "missing");

function plan(more: Partial<Plan>): Plan {
  return {
    file: undefined,
    size: 1_000_000,
    rounds: 1,
    targets: ["file"],
    caches: ["warm"],
    methods: [],
    temp: folder.path,
    progress: () => {},
    ...more,
  };
}

const { signal } = new AbortController();

describeWithoutLeaks("the parts of sluice compare, in trouble", {
  warmUp: async () => {
    capabilities();
    // This one starts a program; Bun keeps a descriptor to wait for it.
    await compare(plan({}), AbortSignal.abort()).catch(() => {});
    const file = folder.file(noise(10_000));
    warm(file, 10_000);
    await drop(file, 10_000);
  },
}, () => {
  it("close what they have opened when there is nothing to compare", async () => {
    for (const file of [missing, folder.path, "/dev/null", folder.file("")]) {
      await assert.rejects(compare(plan({ file }), signal), /^Error: Cannot compare/);
    }
    const small = await compare(plan({ file: folder.file("6 byte") }), signal);
    const { tooSmall, leastBytes, rounds, rows, choices, samples } = small;
    assert.deepEqual([tooSmall, leastBytes, rounds], [true, 1_000_000, 0]);
    assert.deepEqual([rows, choices, samples], [[], [], []]);
    await assert.rejects(compare(plan({ temp: missing }), signal), { code: "ENOENT" });
    await assert.rejects(compare(plan({}), AbortSignal.abort()), { name: "AbortError" });
    assert.deepEqual(readdirSync(folder.path).filter((name) => name.includes("compare")), []);
  });

  it("close a file that cannot be read or written", { skip: NO_DEV_FULL }, async () => {
    assert.throws(() => checksum(folder.path), { code: "EISDIR" });
    assert.throws(() => checksum(missing), { code: "ENOENT" });
    assert.throws(() => generate(join(missing, "file"), 10), { code: "ENOENT" });
    assert.throws(() => new Page("/dev/full").write("text"), /there is no space left/);
    assert.throws(() => new Page(join(missing, "page.html")), /there is no such folder/);
    const page = join(folder.path, "page");
    const written = new Page(page);
    mkdirSync(page);
    assert.throws(() => written.write("text"), /^Error: Cannot write/);
    for (const ask of [(path: string) => cachedBytes(path), (path: string) => warm(path, 10)]) {
      assert.throws(() => ask(missing), { code: "ENOENT" });
    }
    await assert.rejects(drop(missing, 10), { code: "ENOENT" });
    assert.deepEqual(readdirSync(folder.path).filter((name) => name.startsWith(".sluice")), []);
  });

  it("close what capabilities() has tried where nothing can be made", () => {
    for (const where of [missing, "/proc", folder.path]) {
      const { mechanisms } = capabilities({ folder: where });
      assert.ok(mechanisms.reflink.state.length > 0);
    }
  });
});
