import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { number, seconds, size } from "../../src/cli/quantity.ts";
import { Folder, noise } from "../_kit/bytes.ts";
import { type ChildOptions, runChild } from "../_kit/child.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url);
const MIB = 1024 * 1024;
const folder = new Folder();
after(() => folder.remove());

const copy = (args: string[], options: ChildOptions = {}) =>
  runChild(MAIN, { args: ["copy", ...args], timeoutMs: 60_000, ...options });

describe("sluice copy", () => {
  it("copies a file and says so in one line", async () => {
    const bytes = noise(3 * MIB);
    const source = folder.file(bytes);
    const target = join(folder.path, "copied");
    const { code, stdout, stderr } = await copy([source, target]);
    assert.deepEqual([code, stderr.includes("\x1b")], [0, false], stderr);
    assert.match(
      stdout,
      /-> .*copied: 3\.15 MB in .* ms, .*\/s \((splice|range|copy|reflink)\)\n$/,
    );
    assert.ok(readFileSync(target).equals(bytes));
  });

  it("prints no control character of a name", async () => {
    const source = join(folder.path, "two\nlines\x1b[31m");
    writeFileSync(source, "text");
    const { code, stdout } = await copy([source, `${source}2`]);
    assert.equal(code, 0);
    assert.match(stdout, /two\?lines\?\[31m -> .*two\?lines\?\[31m2: 4 B in [^\n]*\n$/);
    const failed = await copy([`${source}3`, source]);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /lines\?\[31m3/);
    assert.ok(!failed.stderr.includes("\x1b"), failed.stderr);
  });

  it("copies into a folder, and prints the result as JSON", async () => {
    const source = folder.file("text", ".txt");
    const inner = join(folder.path, "inner");
    mkdirSync(inner);
    const { code, stdout } = await copy([source, inner, "--json", "--method", "copy", "--times"]);
    assert.equal(code, 0);
    const { target, bytes, method, methods } = JSON.parse(stdout);
    assert.equal(target, join(inner, source.slice(folder.path.length + 1)));
    assert.deepEqual([bytes, method, methods], [4, "copy", ["copy"]]);
    assert.equal(readFileSync(target, "utf8"), "text");
    assert.equal(Math.floor(statSync(target).mtimeMs), Math.floor(statSync(source).mtimeMs));
  });

  it("leaves the page cache alone, and prints nothing when it is told to", async () => {
    const source = folder.file(noise(MIB));
    const target = join(folder.path, "quiet");
    const { code, stdout } = await copy([source, target, "-q", "--cache", "drop", "--durable"]);
    assert.deepEqual([code, stdout], [0, ""]);
    assert.ok(readFileSync(target).equals(readFileSync(source)));
  });

  it("explains what it cannot do and what helps, with exit code 1", async () => {
    const source = folder.file("text");
    for (
      const [args, message] of [
        [
          [join(folder.path, "none"), "x"],
          /^sluice: ENOENT: Cannot open .*none.*\nhint: check the path/m,
        ],
        [
          [source, join(folder.path, "none", "x")],
          /hint: make the folder first: mkdir -p ".*none"/,
        ],
        [[source, "/dev/full"], /ENOSPC[^]*hint: .*free space/],
        [[source, source], /same file/],
        [[folder.path, join(folder.path, "x")], /EISDIR[^]*hint: .*cp -r/],
        [[source, folder.file("old"), "--no-overwrite"], /EEXIST[^]*hint: leave out/],
      ] as const
    ) {
      const { code, stdout, stderr } = await copy([...args]);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, message);
    }
  });

  it("refuses a wrong command line with exit code 2", async () => {
    for (
      const args of [[], ["x"], ["x", "y", "--method", "fast"], ["x", "y", "--rate", "quick"]]
    ) {
      const { code, stderr } = await copy(args);
      assert.equal(code, 2);
      assert.match(stderr, /--help/);
    }
  });

  it("removes what it made on Ctrl-C, and exits with 130", async () => {
    const inner = join(folder.path, "interrupted");
    mkdirSync(inner);
    const source = folder.file("");
    writeFileSync(source, noise(8 * MIB));
    const target = join(inner, "target");
    let kill: ((signal: NodeJS.Signals) => void) | undefined;
    // It copies for seconds, into a file that has no name yet.
    const watch = setInterval(() => {
      if (kill === undefined) return;
      // A second one would end it at once.
      clearInterval(watch);
      setTimeout(kill, 300, "SIGINT");
    }, 20);
    const child = new URL("./_fixtures/copy_slowly.ts", import.meta.url);
    const { code, signal, stdout, stderr } = await runChild(child, {
      args: [source, target],
      timeoutMs: 60_000,
      onOutput: (_, killChild) => kill = killChild,
    });
    clearInterval(watch);
    assert.deepEqual([code, signal], [130, null], stdout + stderr);
    assert.deepEqual(readdirSync(inner), []);
  });

  it("keeps holes", async () => {
    const source = folder.file("x");
    truncateSync(source, 100 * MIB);
    const target = join(folder.path, "sparse");
    assert.equal((await copy([source, target])).code, 0);
    assert.equal(statSync(target).size, 100 * MIB);
    assert.ok(statSync(target).blocks < 1000);
    assert.ok(existsSync(source));
  });
});

describe("the units of the command", () => {
  it("leave three digits", () => {
    const texts = [0, 999, 1000, 12_345, 999_499, 999_600, 3e9, 1e18].map(size);
    const expected = ["0 B", "999 B", "1.00 kB", "12.3 kB", "999 kB", "1.00 MB", "3.00 GB"];
    assert.deepEqual(texts, [...expected, "1000 PB"]);
    assert.deepEqual([0.5, 99.94, 99.96].map(number), ["0.50", "99.9", "100"]);
    assert.deepEqual([8, 59.6, 185, 3723].map(seconds), ["8 s", "1:00", "3:05", "1:02:03"]);
  });
});
