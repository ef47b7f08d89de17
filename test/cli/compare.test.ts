import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readTrace, tracer } from "../../src/cli/compare/trace.ts";
import type { Comparison, Figures, Job, Row } from "../../src/cli/compare/types.ts";
import { runChild } from "../_kit/child.ts";
import { programArgs } from "../_kit/package.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url);
const MB = 1024 * 1024;
/** A page more than 2 MiB and some bytes: no method's block divides it. */
const SIZE = 2 * MB + 4096 + 123;
const LIMIT_MS = 170_000;

const AS_ROOT = process.getuid?.() === 0 ? "root may read everything" : false;
const NO_STRACE = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0
  ? false
  : "strace cannot trace here";
const NO_DEV_FULL = existsSync("/dev/full") ? false : "there is no /dev/full";

let folder: string;
let file: string;

const run = (...args: string[]) =>
  runChild(MAIN, { args: ["compare", "--temp", folder, ...args], timeoutMs: LIMIT_MS });

/** Runs it and waits for a failure that is one clear line. */
async function fails(code: number, message: RegExp, ...args: string[]): Promise<void> {
  const ended = await run(...args);
  assert.equal(ended.code, code, ended.stderr + ended.stdout);
  assert.match(ended.stderr, message);
  assert.equal(ended.stdout, "");
  if (code === 1) assert.equal(ended.stderr.trim().split("\n").length, 1, ended.stderr);
}

/** Starts it on the file and resolves when it has begun to measure. */
async function started(...args: string[]): Promise<ChildProcess> {
  const command = [...programArgs(fileURLToPath(MAIN)), "compare", "--temp", folder, ...args];
  const child = spawn(process.execPath, command, { stdio: ["ignore", "ignore", "pipe"] });
  while (child.exitCode === null && made().length === 0) await sleep(20);
  return child;
}

/** What the comparisons have made in the folder for temporary files. */
function made(): string[] {
  return readdirSync(folder).filter((name) => name.startsWith("sluice-compare-"));
}

/** Processes that have the folder in their command line. */
function processes(): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(folder);
    } catch {
      return false;
    }
  });
}

describe("sluice compare", () => {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "sluice-test-compare-"));
    file = join(folder, "input");
    writeFileSync(file, Uint8Array.from({ length: SIZE }, (_, i) => i % 251));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("measures every method into a socket and a file, and counts what they do", async () => {
    const targets = ["--to", "socket,file", "--cache", "warm", "--rounds", "1"];
    const { code, stdout, stderr } = await run(file, ...targets, "--json");
    assert.equal(code, 0, stderr);
    const { rows, refusals, choices, file: input } = JSON.parse(stdout) as Comparison;
    assert.equal(input.bytes, SIZE);
    const find = (target: string, method: string): Row =>
      rows.find((row) => row.target === target && row.method === method) ??
        assert.fail(`${method} into ${target} is missing: ${JSON.stringify(refusals)}`);
    for (const [method, size] of [["rw4k", 4096], ["rw64k", 65536], ["rw1m", MB]] as const) {
      const { traffic } = find("socket", method);
      assert.equal(traffic.calls!["read"], Math.ceil(SIZE / size) + 1);
      assert.equal(traffic.calls!["write"], Math.ceil(SIZE / size));
      assert.deepEqual([traffic.intoUser, traffic.outOfUser], [SIZE, SIZE]);
    }
    const none = { intoUser: 0, outOfUser: 0, inKernel: SIZE };
    for (const [target, method] of [["socket", "sendfile"], ["file", "range"]] as const) {
      const { calls: _, ...moved } = find(target, method).traffic;
      assert.deepEqual(moved, none);
    }
    // Into the pipe and out of it.
    assert.equal(find("socket", "splice").traffic.inKernel, 2 * SIZE);
    assert.equal(find("socket", "mmap").traffic.intoUser, 0);
    for (const row of rows) {
      assert.ok(row.ms.median > 0 && row.gbPerSecond.median > 0 && row.peak > MB, row.method);
      if (row.target === "file" && row.method === "rw1m") assert.ok(row.cacheGrowth >= SIZE);
    }
    assert.deepEqual(choices.map(({ target, cache }) => `${target} ${cache}`), [
      "socket warm",
      "file warm",
    ]);
    for (const { why } of choices) assert.match(why, /CPU-s\/GB/);
  });

  it("feeds a pipe and two sockets, cold as well, and says it in a table", async () => {
    const some = ["--methods", "rw64k,sendfile,tee,sluice", "--rounds", "2"];
    const { code, stdout, stderr } = await run(file, "--to", "pipe,two", ...some);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Into a pipe, file in the page cache$/m);
    assert.match(stdout, /^Into two TCP sockets at once, file in the page cache$/m);
    assert.match(stdout, /^ {2}splice \+ tee +[\d.]+ \(/m);
    assert.match(stdout, /^ {2}choose .+: [\d.]+ CPU-s\/GB at [\d.]+ GB\/s/m);
    assert.deepEqual(made(), []);
  });

  it("counts the calls that strace counts", { skip: NO_STRACE }, () => {
    const trace = join(folder, "trace");
    for (const method of ["rw64k", "sendfile", "mmap"]) {
      const output = join(folder, `copy-${method}`);
      const job: Job = {
        method,
        target: "file",
        path: file,
        size: SIZE,
        ports: [],
        output,
        warmUp: "",
      };
      const program = [process.execPath, ...programArgs(fileURLToPath(MAIN))];
      const [command, ...args] = [...tracer(trace)!, ...program, "compare-part"];
      const options = { encoding: "utf8", timeout: LIMIT_MS } as const;
      const { stdout, stderr } = spawnSync(command!, [...args, JSON.stringify(job)], options);
      const figures = JSON.parse(stdout || assert.fail(stderr)) as Figures;
      const traced = readTrace(trace);
      const { intoUser, outOfUser, inKernel } = figures;
      assert.equal(traced.inKernel, inKernel, method);
      // Threads of the runtime read and write as well: a few bytes, to wake each other.
      for (const [mine, all] of [[intoUser, traced.intoUser], [outOfUser, traced.outOfUser]]) {
        assert.ok(all! >= mine! && all! - mine! < 4096, `${method}: ${mine} of ${all}`);
      }
      for (const [name, count] of Object.entries(figures.calls!)) {
        const seen = traced.calls![name] ?? 0;
        assert.ok(seen >= count, `${method}: ${seen} of ${count} x ${name}`);
        if (/^(sendfile|mmap|read)$/.test(name)) {
          assert.ok(seen < count + 64, `${method}: ${seen} for ${count} x ${name}`);
        }
      }
      assert.ok(readFileSync(output).equals(readFileSync(file)));
    }
  });

  it("writes a page that needs nothing else", async () => {
    const page = join(folder, "page.html");
    const some = ["--methods", "rw64k,sendfile,stream,direct,mmap", "--rounds", "1"];
    const { code, stdout, stderr } = await run(
      "--size",
      "1",
      "--to",
      "socket,file",
      ...some,
      "--html",
      page,
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /The page is /);
    const text = readFileSync(page, "utf8");
    assert.match(text, /^<!doctype html>/);
    assert.doesNotMatch(text, /<script|<link|<img|@import|(?:src|href)="|url\(/);
    assert.ok((text.match(/<svg /g) ?? []).length >= 10, "charts and pictures are missing");
    for (const label of ["sendfile", "createReadStream().pipe()", "O_DIRECT + write"]) {
      assert.ok(text.includes(label), label);
    }
    assert.doesNotMatch(text, /undefined|NaN|Infinity/);
  });

  it("refuses what is no readable file, in one line", async () => {
    await fails(1, /there is no such file/, join(folder, "missing"));
    await fails(1, /it is a folder/, folder);
    await fails(1, /it is no regular file/, "/dev/null");
    const empty = join(folder, "empty");
    writeFileSync(empty, "");
    await fails(1, /it is empty/, empty);
    assert.deepEqual(made(), []);
  });

  it("refuses a file that may not be read", { skip: AS_ROOT }, async () => {
    const secret = join(folder, "secret");
    writeFileSync(secret, "x");
    chmodSync(secret, 0);
    await fails(1, /it may not be read/, secret);
  });

  it("refuses options that make no sense", async () => {
    await fails(2, /Expected an integer/, "--rounds", "0");
    await fails(2, /Expected some of warm,cold/, "--cache", "lukewarm");
    await fails(1, /the methods are rw4k, /, "--methods", "magic");
    await fails(1, /no such file or directory|ENOENT/, "--temp", join(folder, "missing"));
  });

  it("refuses a place for the page before it measures anything", async () => {
    await fails(1, /there is no such folder/, file, "--html", join(folder, "no/page.html"));
    await fails(1, /it is a folder/, file, "--html", folder);
  });

  it("says that the disk is full, and leaves nothing behind", { skip: NO_DEV_FULL }, async () => {
    const some = ["--to", "socket", "--cache", "warm", "--methods", "sendfile", "--rounds", "1"];
    const ended = await run(file, ...some, "--html", "/dev/full");
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /^sluice: Cannot write "\/dev\/full": there is no space left\n$/);
    assert.deepEqual(made(), []);
  });

  it("stops when the file vanishes, and cleans up", async () => {
    const victim = join(folder, "victim");
    writeFileSync(victim, new Uint8Array(MB));
    const child = await started(victim, "--rounds", "1000", "--to", "socket");
    let errors = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => errors += text);
    rmSync(victim);
    const [code] = await once(child, "close");
    assert.equal(code, 1);
    assert.match(errors, /victim" (has vanished|was changed)|there is no such file/);
    assert.deepEqual(made(), []);
  });

  for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    it(`ends with ${expected} after ${signal}: no file and no process is left`, async () => {
      const child = await started(file, "--rounds", "1000");
      await sleep(300);
      child.kill(signal);
      const [code] = await once(child, "close");
      assert.equal(code, expected);
      assert.deepEqual(made(), []);
      for (let i = 0; i < 100 && processes().length > 0; i++) await sleep(50);
      assert.deepEqual(processes(), []);
    });
  }

  it("says why it cannot compare without foreign calls", async () => {
    const env = { SLUICE_FFI: "none" };
    const { code, stderr } = await runChild(MAIN, { args: ["compare"], env });
    assert.equal(code, 1);
    assert.match(stderr, /^sluice: Cannot compare: .*SLUICE_FFI=none/);
  });
});
