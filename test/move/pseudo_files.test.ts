/** Files that the kernel makes up as they are read: their bytes, or the error of the read. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { PassThrough } from "node:stream";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { available } from "../../src/sys/libc.ts";
import { MappedFile, transfer } from "../../src/mod.ts";
import { commandLine, runChild } from "../_kit/child.ts";
import { assertQuick } from "../_kit/quick.ts";
import { bytesOf, NO_SLOW_FILES, type SlowFiles, slowFiles } from "../_kit/slow_files.ts";
import { OVER_HTTP, StatusError, WAYS } from "../_kit/ways.ts";

const NONE = !available();

/** Tests that need system calls. */
const NATIVE = ["sendFileBelow", "sendFileToDescriptor"];
const NO_CALLS = "needs calls of the system";

/** The ways that work here. */
const ways = Object.keys(WAYS).filter((way) => !(NONE && NATIVE.includes(way)));

const rootOnly = process.getuid?.() !== 0 && "only root may";

interface Failure extends Error {
  readonly code?: string;
  readonly syscall?: string;
}

const failureOf = (work: Promise<unknown>): Promise<Failure | undefined> =>
  work.then(() => undefined, (error) => error);

/** Asserts that reading fails with `code`, and that the error is about the read. */
async function assertFails(way: string, path: string, code: string, status: number) {
  const error = await failureOf(WAYS[way]!(dirname(path), basename(path)));
  if (OVER_HTTP.includes(way)) {
    assert.ok(error instanceof StatusError, String(error));
    return assert.equal(error.status, status);
  }
  assert.equal(error?.code, code, `${way}: ${error}`);
  assert.match(error?.syscall ?? "", /^p?read$/, String(error));
}

const NO_PROCFS = existsSync("/proc/version") ? false : "there is no procfs";

describe("files of the kernel", { skip: NO_PROCFS }, () => {
  const paths = [
    "/proc/version",
    "/sys/class/net/lo/mtu",
    "/sys/class/net/lo/address",
    "/proc/sys/kernel/ostype",
  ].filter(existsSync);
  for (const path of paths) {
    for (const way of ways) {
      it(`${path}: whole by ${way}`, async () => {
        const bytes = await WAYS[way]!(dirname(path), basename(path));
        assert.equal(Buffer.from(bytes).toString(), readFileSync(path, "utf8"));
      });
    }
  }

  it("cannot be mapped: ENODEV", { skip: NONE && NO_CALLS }, () => {
    for (const path of paths) {
      assert.throws(() => MappedFile.open(path), { name: "SyscallError", code: "ENODEV" });
    }
  });
});

/** Unreadable files, with the status of an HTTP server: 404 for anything but a file. */
const UNREADABLE = [
  ["/proc/self/attr/current", "EINVAL", 404],
  ["/proc/self/mem", "EIO", 500],
  ["/sys/class/net/lo/speed", "EINVAL", 404],
] as const;

/** The code with which a file refuses its first read; `undefined` where there is none, or it has bytes. */
function refusalOf(path: string): string | undefined {
  try {
    readFileSync(path);
    return undefined;
  } catch (error) {
    return (error as Failure).code;
  }
}

describe("files of the kernel that cannot be read", () => {
  for (const [path, code, status] of UNREADABLE) {
    const found = refusalOf(path);
    // A kernel with a security module has something to read there.
    const skip = found === code ? false : `this kernel has no such file that fails: ${found}`;
    for (const way of ways.filter((way) => way !== "createReadStream")) {
      it(
        `${path} by ${way}: the error of the read`,
        { skip },
        () => assertFails(way, path, code, status),
      );
    }
  }

  const folder = mkdtempSync(join(tmpdir(), "sluice-cgroup-"));
  const mounted = spawnSync("mount", ["-t", "cgroup2", "none", folder]).status === 0;
  const group = join(folder, `sluice-${process.pid}`);
  if (mounted) mkdirSync(group);
  after(() => {
    if (mounted) {
      rmdirSync(group);
      spawnSync("umount", ["-l", folder]);
    }
    rmdirSync(folder);
  });
  const killer = join(group, "cgroup.kill");
  const skip = !existsSync(killer) && "no control group can be made here";
  for (const way of ways.filter((way) => way !== "createReadStream")) {
    it(
      `a file of a control group that is only written, by ${way}`,
      { skip },
      () => assertFails(way, killer, "EINVAL", 404),
    );
  }
});

describe("files of another program without a length", { skip: NO_SLOW_FILES }, () => {
  let files: SlowFiles;
  before(async () => void (files = await slowFiles(0)));
  after(() => files.close());

  for (const way of ways) {
    it(`${way}: whole`, async () => {
      assert.deepEqual(
        Buffer.from(await WAYS[way]!(files.path, "lengthless")),
        Buffer.from(bytesOf(5000)),
      );
    });
  }
  for (const way of ways.filter((way) => way !== "createReadStream")) {
    it(`${way}: an error at the first read, or in the middle, is no end`, async () => {
      await assertFails(way, join(files.path, "failing"), "EINVAL", 404);
      await assertFails(way, join(files.path, "breaking"), "EINVAL", 404);
    });
  }
});

/** Aborts after a moment; resolves to the error that this gave. */
async function aborted(work: (signal: AbortSignal) => Promise<unknown>): Promise<string> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), 300);
  const error = await free(() => work(abort.signal));
  clearTimeout(timer);
  return error?.name === "AbortError" ? error.name : String(error?.code ?? error);
}

/** Like `failureOf`, once the previous reader has closed a file that allows only one opener. */
async function free(work: () => Promise<unknown>): Promise<Failure | undefined> {
  for (let i = 0;; i++) {
    const error = await failureOf(work());
    if (error?.code !== "EBUSY" || i === 100) return error;
    await sleep(20);
  }
}

/** A file without data now waits or fails; neither may block forever. */
const WAITS = ["AbortError", "EAGAIN"];

describe("files of the kernel that wait", () => {
  const trace = mkdtempSync(join(tmpdir(), "sluice-trace-"));
  const traced = spawnSync("mount", ["-t", "tracefs", "none", trace]).status === 0;
  after(() => {
    if (traced) spawnSync("umount", ["-l", trace]);
    rmdirSync(trace);
  });
  const pipe = join(trace, "trace_pipe");
  const logs = [
    ["/proc/kmsg", rootOnly || (!existsSync("/proc/kmsg") && "there is none")],
    [pipe, !existsSync(pipe) && "tracefs cannot be mounted here"],
  ] as const;
  for (const [path, skip] of logs) {
    const name = basename(path);
    for (const way of ways.filter((way) => way !== "createReadStream")) {
      it(`${name} by ${way}: can be stopped, or says EAGAIN`, { skip }, async (t) => {
        if (refusalWaitless(path) === undefined) return t.skip("it has something to read just now");
        const work = (signal: AbortSignal) => WAYS[way]!(dirname(path), name, signal);
        if (OVER_HTTP.includes(way)) {
          const error = await failureOf(work(new AbortController().signal));
          assert.equal((error as StatusError | undefined)?.status, 500);
        } else {
          const end = await aborted(work);
          // A file without positions cannot be read at an offset.
          const ends = way.startsWith("DirectFile") ? [...WAITS, "ESPIPE"] : WAITS;
          assert.ok(ends.includes(end), end);
        }
      });
    }

    it(`${name}, given as a descriptor that waits`, { skip }, async (t) => {
      if (refusalWaitless(path) === undefined) return t.skip("it has something to read just now");
      const fd = openSync(path, "r");
      try {
        const stream = new PassThrough().resume();
        const end = await aborted((signal) => transfer(fd, stream, { signal }));
        // The kernel allows no second opener of the trace, and there is no other way to avoid waiting.
        if (NONE && path === pipe) return assert.equal(end, "EBUSY");
        assert.ok(WAITS.includes(end), end);
      } finally {
        closeSync(fd);
      }
    });
  }
});

/** Error of a non-blocking read; `undefined` if the file has data. */
function refusalWaitless(path: string): string | undefined {
  const { status, stdout } = spawnSync("dd", [
    `if=${path}`,
    "iflag=nonblock",
    "bs=4096",
    "count=1",
  ]);
  return status !== 0 && stdout.length === 0 ? "nothing" : undefined;
}

/** A process whose table of mappings is larger than 16 MiB as text. */
const MAPPER = new URL("./_fixtures/mappings.ts", import.meta.url);
const PROBE = new URL("../_kit/slow_probe.ts", import.meta.url);
/** Less than its contents take; more than a busy machine takes to receive so much at a time. */
const STALL_MS = 500;

describe("a file of the kernel of more than 16 MiB", { skip: NONE && NO_CALLS }, () => {
  let pid = 0;
  let end = () => {};
  before(async () => {
    const [program, ...args] = commandLine(MAPPER, []);
    const child = spawn(program!, args, { stdio: ["pipe", "pipe", "inherit"] });
    end = () => child.kill("SIGKILL");
    await new Promise<void>((resolve, reject) => {
      child.stdout!.once("data", () => resolve());
      child.once("exit", (code) => reject(new Error(`ended with ${code}`)));
    });
    pid = child.pid!;
    // Its mappings stay as they are.
    process.kill(pid, "SIGSTOP");
  });
  after(() => end());

  for (
    const way of ["sendFile", "transferToFile", "broadcast", "copyFile", "fileResponse"]
  ) {
    it(`${way}: whole, and the event loop does not wait`, async () => {
      const size = readFileSync(`/proc/${pid}/smaps`).length;
      assert.ok(size > 16 * 1024 * 1024, `${size} bytes`);
      await assertQuick(STALL_MS, async () => {
        const args = [way, `/proc/${pid}`, "smaps"];
        const { code, stdout, stderr } = await runChild(PROBE, { args, timeoutMs: 120_000 });
        assert.equal(code, 0, stderr);
        const seen = JSON.parse(stdout.split("\n")[1]!);
        assert.deepEqual([seen.error, seen.length], ["", size]);
        return seen.stallMs;
      });
    });
  }
});

const NO_PRLIMIT = spawnSync("prlimit", ["--version"]).status !== 0 && "prlimit is not here";

describe("a limit of the size of files", () => {
  const FIXTURE = new URL("./_fixtures/limited_copy.ts", import.meta.url);
  it("ends a copy of what tells no length with an error", { skip: NO_PRLIMIT }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-limit-"));
    try {
      // Deno caches compiled code when it first runs, in the background, and ends at the limit.
      if ("Deno" in globalThis) {
        const { code, stderr } = await runChild(FIXTURE, { args: ["free", folder] });
        assert.equal(code, 0, stderr);
        rmSync(join(folder, "copy"));
      }
      const { code, signal, stdout, stderr } = await runChild(FIXTURE, { args: [folder] });
      // Without calls of the system, Deno holds the bytes in memory, writes them, and is ended.
      if (NONE && "Deno" in globalThis) return assert.equal(signal, "SIGXFSZ", stderr);
      assert.deepEqual([code, signal], [0, null], stderr);
      assert.deepEqual(JSON.parse(stdout), { code: "EFBIG", left: [] });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
