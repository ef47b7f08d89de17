import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { runtime } from "../../ffi/mod.ts";
import { copyFile } from "../../src/mod.ts";
import { commandLine, runChild } from "../_kit/child.ts";
import { pattern } from "../_kit/temp.ts";

const PROGRAM = new URL("./_fixtures/copy_plain.ts", import.meta.url);
const SIZES = [0, 3000, 600_000];

const root = mkdtempSync(join(tmpdir(), "sluice-refused-"));
after(() => rmSync(root, { recursive: true }));
let sequence = 0;

function fresh(): string {
  const folder = join(root, String(sequence++));
  mkdirSync(folder);
  return folder;
}

function source(size: number): string {
  const path = join(root, `from-${size}`);
  writeFileSync(path, pattern(size));
  chmodSync(path, 0o640);
  return path;
}

function has(program: string): boolean {
  return spawnSync("which", [program]).status === 0;
}

const traces = has("strace") &&
  spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;
const NO_STRACE = traces ? false : "strace is not here, or may not trace";
const NO_BINDFS = has("bindfs") && existsSync("/dev/fuse") && process.getuid?.() === 0
  ? false
  : "bindfs needs /dev/fuse and root";
const NOT_NODE = runtime().name === "node" ? false : "Node.js alone has --permission";

describe("the times of a copy", () => {
  for (
    const [name, ms] of [["before 1970", -86_400_123], ["in 1901", -2_199_023_255_552], [
      "now",
      1.7e12,
    ]]
  ) {
    it(`are kept: ${name}`, async () => {
      const from = source(3000);
      const handle = await (await import("node:fs/promises")).open(from, "r+");
      await handle.close();
      execFileSync("touch", ["-d", `@${Number(ms) / 1000}`, from]);
      const expected = statSync(from).mtimeMs;
      for (const options of [{}, { atomic: false }, { overwrite: false }]) {
        const to = join(fresh(), "to");
        await copyFile(from, to, { ...options, times: true });
        assert.ok(Math.abs(statSync(to).mtimeMs - expected) <= 1, String(statSync(to).mtimeMs));
      }
    });
  }
});

describe("a file system without links", { skip: NO_STRACE }, () => {
  const WAYS: Record<string, string[]> = {
    "and with renameat2(2)": ["inject=link,linkat:error=EPERM"],
    "and without RENAME_NOREPLACE": [
      "inject=link,linkat:error=EPERM",
      "inject=renameat2:error=EINVAL",
    ],
  };
  for (const [way, injections] of Object.entries(WAYS)) {
    it(`takes a copy that replaces nothing, ${way}`, () => {
      for (const options of [{ overwrite: false }, {}, { times: true }]) {
        const folder = fresh();
        const run = () => {
          const args = [source(600_000), join(folder, "to"), JSON.stringify(options)];
          const calls = injections.flatMap((each) => ["-e", each]);
          return spawnSync("strace", [
            "-f",
            "-o",
            "/dev/null",
            ...calls,
            "-e",
            "trace=link,linkat,renameat2",
            ...commandLine(PROGRAM, args),
          ], {
            encoding: "utf8",
          });
        };
        const first = run();
        assert.match(first.stdout, /^copied/, first.stderr);
        assert.deepEqual(new Uint8Array(readFileSync(join(folder, "to"))), pattern(600_000));
        if (options.overwrite === false) {
          writeFileSync(join(folder, "to"), "there");
          assert.match(run().stdout, /^EEXIST/);
          assert.equal(readFileSync(join(folder, "to"), "latin1"), "there");
        }
        assert.deepEqual(readdirSync(folder), ["to"]);
      }
    });
  }
});

describe("a file system that lets nobody change permissions", { skip: NO_BINDFS }, () => {
  it("takes copies of all sizes", () => {
    const [below, mount] = [fresh(), fresh()];
    execFileSync("bindfs", ["--chmod-deny", below, mount]);
    try {
      for (const size of SIZES) {
        for (const options of [{}, { overwrite: false }, { atomic: false }, { times: true }]) {
          const to = join(mount, `to-${size}-${JSON.stringify(options).length}`);
          const args = [source(size), to, JSON.stringify(options)];
          const [command, ...rest] = commandLine(PROGRAM, args);
          const { stdout, stderr } = spawnSync(command!, rest, { encoding: "utf8" });
          assert.match(stdout, /^copied/, stderr);
          assert.equal(statSync(to).size, size);
          assert.equal(statSync(to).mode & 0o777, 0o640);
        }
      }
      assert.ok(readdirSync(below).every((name) => name.startsWith("to-")));
    } finally {
      execFileSync("fusermount3", ["-uz", mount]);
    }
  });
});

describe("Node's --permission, which refuses fchmod()", { skip: NOT_NODE }, () => {
  it("lets files be copied where it allows that", async () => {
    for (const options of [{}, { times: true }, { overwrite: false }, { atomic: false }]) {
      const folder = fresh();
      const flags = ["--permission", "--allow-fs-read=*", `--allow-fs-write=${folder}`];
      const args = [source(3000), join(folder, "to"), JSON.stringify(options)];
      const { stdout, stderr } = await runChild(PROGRAM, { args, flags });
      assert.match(stdout, /^copied/, stderr);
      assert.equal(statSync(join(folder, "to")).mode & 0o777, 0o640);
      assert.deepEqual(readdirSync(folder), ["to"]);
    }
  });
});
