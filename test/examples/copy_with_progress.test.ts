import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
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

describe("examples/transfer_to.ts", () => {
  const TABLE = new URL("../../examples/transfer_to.ts", import.meta.url);
  const NO_CALLS = process.env["SLUICE_FFI"] === "none" && "it needs foreign calls";

  it("prints the table and draws it", { skip: NO_CALLS }, async () => {
    const page = join(folder.path, "table.html");
    // With Java if there is one; without it, the table has our half.
    const { code, stdout, stderr } = await runChild(TABLE, {
      args: ["--max", "8", "--rounds", "1", "--html", page],
    });
    assert.equal(code, 0, stderr);
    const java = /Without Java/.test(stderr) ? 0 : 3;
    const rows = stdout.match(/^ +[78] MB( +[\d.]+)+$/gm)!.map((row) => row.trim().split(/ +/));
    assert.deepEqual(rows.map((row) => row.length), [2 + 3 + java, 2 + 3 + java], stdout);
    assert.match(stdout, /sluice sendFile +[\d.]+ s/);
    const html = readFileSync(page, "utf8");
    assert.equal(html.match(/<polyline/g)?.length, 3 + java);
    assert.doesNotMatch(html, /NaN|undefined|(href|src)=/);
  });

  it("does without Java, and reports a full disk", { skip: NO_CALLS }, async () => {
    const dir = join(folder.path, "space");
    mkdirSync(dir);
    const { code, stdout, stderr } = await runChild(TABLE, {
      args: ["--max", "1", "--rounds", "1", "--html", "/dev/full", "--dir", dir],
      env: { PATH: folder.path },
    });
    assert.deepEqual([code, /^ +1 MB( +[\d.]+){3}$/m.test(stdout)], [1, true], stdout + stderr);
    assert.match(stderr, /^Without Java: .*\nENOSPC: /m);
    assert.deepEqual(readdirSync(dir), []);
  });

  it("says what is wrong", async () => {
    const wrong = await runChild(TABLE, { args: ["--max", "many"] });
    assert.deepEqual(
      [wrong.code, /"many" MB\n\nUsage/.test(wrong.stderr)],
      [2, true],
      wrong.stderr,
    );
  });
});
