import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { capabilities, copyFile, copyFileSync, type CopySyncOptions } from "../../../src/mod.ts";
import { Folder, noise } from "../../_kit/bytes.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";

const folder = new Folder();
after(() => folder.remove());

const MIB = 1024 * 1024;
const NEEDS_CALLS = capabilities().backend === null && "the system cannot be called";
let sequence = 0;
const fresh = (): string => join(folder.path, `target-${sequence++}`);
const leftovers = () => readdirSync(folder.path).filter((name) => name.endsWith(".sluice"));

function failsWith(code: string, task: () => unknown): void {
  assert.throws(task, (error: Error & { code: string }) => {
    assert.equal(error.code, code, String(error.stack));
    return true;
  });
  assert.deepEqual(leftovers(), []);
}

/** Leaks are counted by a system call. */
const suite: typeof describeWithoutLeaks = NEEDS_CALLS
  ? (name, _options, body) => describe(name, body)
  : describeWithoutLeaks;

suite("copyFileSync()", {
  warmUp: () => copyFile(folder.file(noise(MIB)), fresh()),
}, () => {
  it("copies every size to a new name, and over a file", () => {
    for (const size of [0, 1, 4095, 4097, 65536, 262145, MIB, 5 * MIB + 13]) {
      const bytes = noise(size, size % 200);
      const source = folder.file(bytes);
      for (const target of [fresh(), folder.file(noise(100_000))]) {
        const report = copyFileSync(source, target);
        assert.ok(readFileSync(target).equals(bytes), `${size} bytes`);
        assert.equal(report.bytes, size);
        assert.equal(report.methods.length, size > 0 ? 1 : 0);
        assert.ok(report.durationMs >= 0);
      }
    }
    assert.deepEqual(leftovers(), []);
  });

  it("keeps holes", { skip: NEEDS_CALLS }, () => {
    const source = folder.file("");
    const fd = openSync(source, "r+");
    for (const at of [0, 3 * MIB, 7 * MIB]) writeSync(fd, noise(5000), 0, 5000, at);
    closeSync(fd);
    truncateSync(source, 64 * MIB);
    const target = fresh();
    const { bytes } = copyFileSync(source, target);
    assert.ok(readFileSync(target).equals(readFileSync(source)));
    assert.ok(statSync(target).blocks <= statSync(source).blocks + 64, "the holes were filled");
    assert.ok(bytes >= 15_000 && bytes < MIB, `${bytes} bytes`);
  });

  it("copies files that are made up when they are read", () => {
    const target = fresh();
    const { bytes } = copyFileSync("/proc/cpuinfo", target);
    assert.equal(statSync(target).size, bytes);
    assert.match(readFileSync(target, "utf8"), /processor/);
  });

  it("sets permissions and times like copyFile()", () => {
    const source = folder.file("x");
    chmodSync(source, 0o741);
    utimesSync(source, 1_000_000_000, 1_100_000_000);
    const [same, usual, kept] = [fresh(), fresh(), fresh()];
    copyFileSync(pathToFileURL(source), pathToFileURL(same));
    copyFileSync(source, usual, { mode: false });
    copyFileSync(source, kept, { times: true, durable: true });
    assert.equal(statSync(same).mode & 0o777, 0o741);
    assert.equal(statSync(usual).mode & 0o777, statSync(folder.file("y")).mode & 0o777);
    assert.equal(statSync(kept).mode & 0o777, 0o741);
    assert.equal(statSync(kept).mtimeMs, 1_100_000_000_000);
    assert.ok(statSync(same).mtimeMs > 1_100_000_000_000);
  });

  it("replaces a file at once, and none without overwrite", () => {
    const source = folder.file("new");
    const target = folder.file("old");
    const name = fresh();
    linkSync(target, name);
    failsWith("EEXIST", () => copyFileSync(source, target, { overwrite: false }));
    failsWith("EEXIST", () => copyFileSync(source, target, { overwrite: false, durable: true }));
    copyFileSync(source, target);
    assert.deepEqual([target, name].map((path) => readFileSync(path, "utf8")), ["new", "old"]);
    for (const durable of [false, true]) {
      const other = fresh();
      copyFileSync(source, other, { overwrite: false, durable });
      assert.equal(readFileSync(other, "utf8"), "new");
    }
  });

  it("writes behind a link, and replaces a dangling one", () => {
    const [target, link, dangling] = [folder.file("old"), fresh(), fresh()];
    symlinkSync(target, link);
    symlinkSync(join(folder.path, "none"), dangling);
    copyFileSync(folder.file("new"), link);
    copyFileSync(folder.file("new"), dangling);
    assert.deepEqual([target, dangling].map((path) => readFileSync(path, "utf8")), ["new", "new"]);
    assert.equal(existsSync(join(folder.path, "none")), false);
  });

  it("refuses what is no file, folders, and a file onto itself", () => {
    const source = folder.file("text");
    const [inner, hard] = [fresh(), fresh()];
    mkdirSync(inner);
    linkSync(source, hard);
    failsWith("EISDIR", () => copyFileSync(inner, fresh()));
    failsWith("EISDIR", () => copyFileSync(source, inner));
    failsWith("EINVAL", () => copyFileSync("/dev/null", fresh()));
    failsWith("EINVAL", () => copyFileSync(source, "/dev/null"));
    failsWith("EINVAL", () => copyFileSync(source, hard));
    failsWith("ENOENT", () => copyFileSync(join(folder.path, "none"), fresh()));
    failsWith("ENOENT", () => copyFileSync(source, join(folder.path, "none", "file")));
    failsWith("ENOTDIR", () => copyFileSync(source, join(source, "file")));
    assert.equal(readFileSync(source, "utf8"), "text");
  });

  it("takes names as long as they may be", () => {
    for (const name of ["n".repeat(255), "\u20ac".repeat(85)]) {
      const target = join(folder.path, name);
      copyFileSync(folder.file("x"), target);
      copyFileSync(folder.file("y"), target);
      assert.equal(readFileSync(target, "utf8"), "y");
    }
    failsWith("ENAMETOOLONG", () => copyFileSync(folder.file("x"), `/${"n".repeat(5000)}`));
  });

  it("refuses other options before it touches a file", () => {
    for (const options of [null, 1, { overwrite: 1 }, { mode: 0o600 }]) {
      assert.throws(() => copyFileSync("/none", "/none", options as CopySyncOptions), TypeError);
    }
    for (const path of [1, null, "", "a\0b"]) {
      assert.throws(() => copyFileSync(path as string, "/none"), TypeError);
      assert.throws(() => copyFileSync("/none", path as string), TypeError);
    }
  });
});

describe("a file that is replaced by copies", () => {
  it("is the old or the new one for every reader", async () => {
    const sources = [1, 2, 3].map((seed) => noise(200_000 + seed * 50_000, seed));
    const paths = sources.map((bytes) => folder.file(bytes));
    const target = folder.file(sources[0]!);
    let ended = false;
    let reads = 0;
    const reader = (async () => {
      while (!ended || reads < 10) {
        const seen = await readFile(target);
        assert.ok(sources.some((bytes) => seen.equals(bytes)), `${seen.length} bytes`);
        reads++;
      }
    })();
    for (let i = 0; i < 60; i++) {
      if (i % 2 === 0) await copyFile(paths[i % 3]!, target);
      else copyFileSync(paths[i % 3]!, target);
      await new Promise((resolve) => setImmediate(resolve));
    }
    ended = true;
    await reader;
    assert.deepEqual(leftovers(), []);
  });
});
