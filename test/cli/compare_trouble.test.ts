import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runChild } from "../_kit/child.ts";
import { MAIN, Place, QUIET } from "../_kit/compare.ts";
import { programArgs } from "../_kit/package.ts";

const AS_ROOT = process.getuid?.() === 0 ? "root may read everything" : false;
const NO_STRACE = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0
  ? false
  : "strace(1) is missing or may not trace";
const NO_DEV_FULL = existsSync("/dev/full") ? false : "there is no /dev/full";

describe("sluice compare, in trouble", () => {
  const place = new Place();

  /** Runs it and waits for a failure that is one clear line. */
  async function fails(code: number, message: RegExp, ...args: string[]): Promise<void> {
    const ended = await place.run(...args);
    assert.equal(ended.code, code, ended.stderr + ended.stdout);
    assert.match(ended.stderr, message);
    assert.equal(ended.stdout, "");
    if (code === 1) assert.equal(ended.stderr.trim().split("\n").length, 1, ended.stderr);
  }

  /** Starts it on a file and resolves when it has begun. */
  const started = (...args: string[]) => startedWith({}, ...args);

  async function startedWith(env: NodeJS.ProcessEnv, ...args: string[]): Promise<ChildProcess> {
    const options = ["compare", "--temp", place.folder, ...args];
    const command = [...programArgs(fileURLToPath(MAIN)), ...options];
    const child = spawn(process.execPath, command, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...QUIET, ...env },
    });
    while (child.exitCode === null && place.made().length === 0) await sleep(20);
    return child;
  }

  /** Deno calls an exit code of 130 the signal SIGINT. */
  async function ending(child: ChildProcess): Promise<number> {
    const [code, signal] = await once(child, "close") as [number | null, NodeJS.Signals];
    return code ?? 128 + constants.signals[signal];
  }

  /** Command lines of processes that name the folder. */
  function processes(): string[] {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1");
      } catch {
        return "";
      }
    }).filter((line) => line.includes(place.folder));
  }

  it("refuses what is no readable file, in one line", async () => {
    await fails(1, /there is no such file/, join(place.folder, "missing"));
    await fails(1, /it is a folder/, place.folder);
    await fails(1, /it is not a regular file/, "/dev/null");
    const empty = join(place.folder, "empty");
    writeFileSync(empty, "");
    await fails(1, /it is empty/, empty);
    assert.deepEqual(place.made(), []);
  });

  it("refuses a file that may not be read", { skip: AS_ROOT }, async () => {
    const secret = join(place.folder, "secret");
    writeFileSync(secret, "x");
    chmodSync(secret, 0);
    await fails(1, /it is not readable/, secret);
  });

  it("refuses options that make no sense", async () => {
    await fails(2, /Expected an integer/, "--rounds", "0");
    await fails(2, /Expected a comma-separated list of warm,cold/, "--cache", "lukewarm");
    await fails(2, /the methods are rw4k, /, "--methods", "magic");
    await fails(1, /no such file or directory|ENOENT/, "--temp", join(place.folder, "missing"));
  });

  it("refuses a place for the page before it measures anything", async () => {
    await fails(
      1,
      /there is no such folder/,
      place.file,
      "--html",
      join(place.folder, "no/page.html"),
    );
    await fails(1, /it is a folder/, place.file, "--html", place.folder);
  });

  it("says that the disk is full, and leaves nothing behind", { skip: NO_DEV_FULL }, async () => {
    const some = ["--to", "socket", "--cache", "warm", "--methods", "sendfile", "--rounds", "1"];
    const ended = await place.run(place.file, ...some, "--html", "/dev/full");
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /^sluice: Cannot write "\/dev\/full": there is no space left\n$/);
    assert.deepEqual(place.made(), []);
  });

  it("stops when the file vanishes, and cleans up", async () => {
    const victim = join(place.folder, "victim");
    writeFileSync(victim, new Uint8Array(1_000_000));
    const child = await started(victim, "--rounds", "1000", "--to", "socket");
    let errors = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => errors += text);
    rmSync(victim);
    assert.equal(await ending(child), 1);
    assert.match(errors, /victim" (has vanished|was changed)|there is no such file/);
    assert.deepEqual(place.made(), []);
  });

  for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    it(`ends with ${expected} after ${signal}: no file and no process is left`, async () => {
      const child = await started(place.file, "--rounds", "1000");
      await sleep(300);
      child.kill(signal);
      assert.equal(await ending(child), expected);
      assert.deepEqual(place.made(), []);
      for (let i = 0; i < 100 && processes().length > 0; i++) await sleep(50);
      assert.deepEqual(processes(), []);
    });
  }

  it("leaves nothing of what strace(1) has started", { skip: NO_STRACE }, async () => {
    // What strace runs waits, as for a named pipe that nobody reads any more.
    const waits = `exec strace -o /dev/null sh -c 'sleep 300; :' compare-part ${place.folder}`;
    const script = `#!/bin/sh\nPATH=\${PATH#*:}\ncase "$*" in *compare-part*) ${waits};; esac\n`;
    const bin = join(place.folder, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "strace"), `${script}exec strace "$@"\n`, { mode: 0o700 });
    const path = `${bin}:${process.env["PATH"]}`;
    const child = await startedWith({ PATH: path }, place.file, "--methods", "sluice");
    const waiting = () => processes().some((line) => line.startsWith("sh\0"));
    for (let i = 0; i < 1000 && !waiting(); i++) await sleep(20);
    assert.ok(waiting());
    child.kill("SIGINT");
    assert.equal(await ending(child), 130);
    assert.deepEqual(place.made(), []);
    for (let i = 0; i < 100 && processes().length > 0; i++) await sleep(50);
    assert.deepEqual(processes(), []);
  });

  it("leaves nothing whenever it is interrupted", async () => {
    const big = join(place.folder, "big");
    writeFileSync(big, new Uint8Array(30_000_000));
    const page = join(place.folder, "interrupted.html");
    const phases: [string, number, string[]][] = [
      ["before it has begun", 0, [place.file]],
      ["while its own file is made", 250, ["--size", "512"]],
      ["while it takes the checksum and checks the methods", 1000, [big]],
      ["into a pipe", 2500, [place.file, "--to", "pipe", "--rounds", "1000"]],
      ["into two sockets", 4000, [place.file, "--to", "two", "--rounds", "1000"]],
      ["with cold files", 3000, [big, "--to", "file", "--cache", "cold", "--rounds", "1000"]],
    ];
    for (const [phase, ms, args] of phases) {
      const child = await started(...args, "--html", page);
      await sleep(ms);
      child.kill("SIGINT");
      assert.equal(await ending(child), 130, phase);
      assert.deepEqual(place.made(), [], phase);
      assert.deepEqual(readdirSync(place.folder).filter((name) => name.endsWith(".html")), []);
      for (let i = 0; i < 100 && processes().length > 0; i++) await sleep(50);
      assert.deepEqual(processes(), [], phase);
    }
  });

  it("says why it cannot compare without foreign calls", async () => {
    const env = { ...QUIET, SLUICE_FFI: "none" };
    const { code, stderr } = await runChild(MAIN, { args: ["compare"], env });
    assert.equal(code, 1);
    assert.match(stderr, /^sluice: Cannot compare: .*SLUICE_FFI=none/);
  });
});
