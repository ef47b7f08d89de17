/** Output of the command: in narrow windows, as JSON, and to a closed pipe. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { capabilities } from "../../src/capabilities.ts";
import { render as renderComparison } from "../../src/cli/compare/table.ts";
import type { Comparison, Row } from "../../src/cli/compare/types.ts";
import { render } from "../../src/cli/doctor/report.ts";
import { wrap } from "../../src/cli/output.ts";
import { Folder, noise } from "../_kit/bytes.ts";
import { commandLine, runChild } from "../_kit/child.ts";
import { LIMIT_MS, MAIN, QUIET } from "../_kit/compare.ts";

const NO_DEV_FULL = existsSync("/dev/full") ? false : "there is no /dev/full";
const NO_SCRIPT = spawnSync("script", ["-qec", "stty cols 40", "/dev/null"]).status === 0
  ? false
  : "script(1) and stty(1) make the window";
const folder = new Folder();
after(() => folder.remove());

const plain = (_: unknown, text: string) => text;
const widest = (text: string) => Math.max(...text.split("\n").map((line) => line.length));

/** Runs the command with a standard output of ours. */
async function withOutput(
  args: readonly string[],
  stdout: "pipe" | number,
  use: (child: ReturnType<typeof spawn>) => void = () => {},
): Promise<{ code: number; stderr: string }> {
  const [command, ...rest] = commandLine(MAIN, args);
  const child = spawn(command!, rest, {
    stdio: ["ignore", stdout, "pipe"],
    env: { ...process.env, ...QUIET },
    timeout: LIMIT_MS,
  });
  let stderr = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => stderr += text);
  use(child);
  const [code, signal] = await once(child, "close") as [number | null, NodeJS.Signals];
  return { code: code ?? 128 + constants.signals[signal], stderr };
}

describe("wrap()", () => {
  it("breaks between words, and keeps what stands before the first", () => {
    assert.deepEqual(wrap("  one two three", 9, "    "), ["  one two", "    three"]);
    assert.deepEqual(wrap("a  b", 80), ["a  b"]);
    assert.deepEqual(wrap("", 5), [""]);
  });

  it("counts no colours, and leaves a word whole that is too long", () => {
    assert.deepEqual(wrap("\x1b[32mone\x1b[39m two", 7), ["\x1b[32mone\x1b[39m two"]);
    assert.deepEqual(wrap("a incomprehensible b", 6), ["a", "incomprehensible", "b"]);
  });
});

describe("a window of 40 columns", () => {
  it("holds what sluice doctor says", () => {
    const text = render(capabilities(), plain, 40);
    assert.ok(widest(text) <= 40, text);
    assert.ok(widest(render(capabilities(), plain, 100)) <= 100);
    assert.match(text, /^ {2}sendfile +\w+\n {4}/m);
  });

  it("holds the tables of sluice compare, less wide, and says what is left out", () => {
    const one = { median: 1.25, min: 1.125, max: 1.5 };
    const row = {
      target: "socket",
      cache: "warm",
      method: "stream",
      traffic: { calls: { read: 1 }, intoUser: 1, outOfUser: 1, inKernel: 0 },
      ...Object.fromEntries(
        ["ms", "gbPerSecond", "cpuPerGb", "userPerGb", "systemPerGb"].map((name) => [name, one]),
      ),
      ...{ voluntary: 1, involuntary: 1, minorFaults: 1, majorFaults: 0, cacheGrowth: 0, peak: 1 },
    } as unknown as Row;
    const comparison = {
      file: { path: "/a", bytes: 1, sha256: "" },
      machine: { processors: "2 x P", kernel: "6", runtime: "node 26", backend: "koffi" },
      rounds: 3,
      rows: [row],
      refusals: [{ target: "file", method: "range", reason: "it cannot be done at all here" }],
      choices: [{ target: "socket", cache: "warm", method: "stream", why: "it is the only one" }],
      notes: [],
    } as unknown as Comparison;
    const narrow = renderComparison(comparison, plain, 50);
    assert.ok(widest(narrow) <= 50, narrow);
    assert.match(narrow, /^ {2}method +CPU-s\/GB$/m);
    assert.match(narrow.replaceAll("\n", " "), /shows more: peak, .*GB\/s\./);
    const wide = renderComparison(comparison, plain);
    assert.match(wide, /^ {2}method +ms +GB\/s .*peak$/m);
    assert.doesNotMatch(wide, /shows more/);
  });

  it("is asked for its width", { skip: NO_SCRIPT }, () => {
    const words = commandLine(MAIN, ["doctor"]).map((word) => `'${word}'`).join(" ");
    const { stdout } = spawnSync("script", ["-qec", `stty cols 40; ${words}`, "/dev/null"], {
      encoding: "utf8",
      env: { ...process.env, ...QUIET, NO_COLOR: "1" },
    });
    const text = stdout.replaceAll("\r", "");
    assert.match(text, /^ {2}sendfile/m);
    assert.ok(widest(text) <= 40, text);
    assert.ok(!text.includes("\x1b[3"), "colours in spite of NO_COLOR");
  });
});

describe("standard output that takes nothing", () => {
  const file = folder.file(noise(1_000_000));
  const comparing = ["compare", file, "--temp", folder.path];

  for (const args of [["doctor"], ["--help"], ["doctor", "--json"]]) {
    it(`ends sluice ${args.join(" ")} in silence when its reader is gone`, async () => {
      const ended = await withOutput(args, "pipe", ({ stdout }) => stdout!.destroy());
      assert.deepEqual(ended, { code: 141, stderr: "" });
    });
  }

  it("ends sluice compare in silence, with nothing left behind", async () => {
    const some = ["--to", "socket", "--methods", "sendfile", "--rounds", "1", "--cache", "warm"];
    const ended = await withOutput(
      [...comparing, ...some],
      "pipe",
      ({ stdout }) => stdout!.destroy(),
    );
    assert.deepEqual(ended, { code: 141, stderr: "" });
    assert.deepEqual(readdirSync(folder.path).filter((name) => name.includes("compare")), []);
  });

  it("ends sluice serve at the next line of its log", async () => {
    const args = ["serve", folder.path, "--port", "0", "--json"];
    const ended = await withOutput(
      args,
      "pipe",
      ({ stdout }) =>
        stdout!.once("data", async (chunk: Buffer) => {
          const { local } = JSON.parse(chunk.toString().split("\n", 1)[0]!) as { local: string };
          stdout!.destroy();
          await fetch(local).then((response) => response.text(), () => {});
        }),
    );
    assert.deepEqual(ended, { code: 141, stderr: "" });
  });

  for (const args of [["doctor"], ["doctor", "--json"], ["--version"]]) {
    it(`fails sluice ${args.join(" ")} when the disk is full`, { skip: NO_DEV_FULL }, async () => {
      const { code, stderr } = await withOutput(args, openSync("/dev/full", "w"));
      assert.equal(code, 1);
      assert.equal(stderr, "sluice: Cannot print: there is no space left\n");
    });
  }
});

describe("--json", () => {
  const missing = join(folder.path, "missing");
  const commands: [code: number, ...args: string[]][] = [
    [1, "compare", missing, "--temp", folder.path],
    [2, "compare", "--methods", "magic"],
    [1, "copy", missing, join(folder.path, "target")],
    [1, "serve", missing],
  ];
  for (const [code, ...args] of commands) {
    it(`has a failure of sluice ${args[0]} as JSON, too: ${args[1]}`, async () => {
      const ended = await runChild(MAIN, { args: [...args, "--json"], env: QUIET });
      assert.equal(ended.code, code);
      const { error } = JSON.parse(ended.stdout) as { error: { message: string } };
      assert.equal(ended.stderr, `sluice: ${error.message}\n`);
    });
  }

  it("has nothing but the failure on standard error without it", async () => {
    const { code, stdout } = await runChild(MAIN, { args: ["compare", missing], env: QUIET });
    assert.deepEqual([code, stdout], [1, ""]);
  });
});

const small = join(folder.path, "small");
mkdirSync(small);
const mount = ["-t", "tmpfs", "-o", "size=2m", "sluice-test", small];
const mounted = process.getuid?.() === 0 && spawnSync("mount", mount).status === 0;
const NO_MOUNT = mounted ? false : "a small file system can be mounted by root only";

describe("sluice compare on a full disk", () => {
  after(() => void (mounted && spawnSync("umount", [small])));

  it(
    "says so when there is no room for its file, and leaves none",
    { skip: NO_MOUNT },
    async () => {
      const args = ["compare", "--size", "8", "--temp", small];
      const { code, stderr } = await runChild(MAIN, { args, env: QUIET });
      assert.equal(code, 1);
      assert.match(stderr, /^sluice: .*(no space left|ENOSPC|room for).*\n$/i);
      assert.deepEqual(readdirSync(small), []);
    },
  );

  it("keeps the page of the last time when there is no room for the new one", {
    skip: NO_MOUNT,
  }, async () => {
    const page = join(small, "page.html");
    writeFileSync(page, "old");
    const rest = join(small, "rest");
    try {
      writeFileSync(rest, new Uint8Array(3 * 1024 * 1024));
    } catch {
      // It is full now.
    }
    const some = ["--to", "socket", "--methods", "sendfile", "--rounds", "1", "--cache", "warm"];
    const args = ["compare", folder.file(noise(1_000_000)), ...some, "--html", page];
    const { code, stderr } = await runChild(MAIN, { args, env: QUIET, timeoutMs: LIMIT_MS });
    assert.equal(code, 1);
    assert.equal(stderr, `sluice: Cannot write "${page}": there is no space left\n`);
    assert.equal(readFileSync(page, "utf8"), "old");
    assert.deepEqual(readdirSync(small).sort(), ["page.html", "rest"]);
  });
});
