import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { unfit } from "../../ffi/libssl/mod.ts";
import { probeKernelTls } from "../../src/probe/sockets.ts";
import { alpnCallback, alpnCode } from "../../src/tls/alpn/alpn_callback.ts";
import { tlsLibrary } from "../../src/tls/library.ts";
import { commandLine, runChild } from "../_kit/child.ts";

const PRINT = new URL("./_fixtures/library.ts", import.meta.url);
const ON_NODE = !("Bun" in globalThis) && !("Deno" in globalThis);

const SERVE_ONCE = new URL("./_fixtures/serve_once.ts", import.meta.url);

/** Files that programs load as the library of the system. */
const LIBRARIES = spawnSync("ldconfig", ["-p"], { encoding: "utf8" }).stdout
  ?.split("\n").filter((line) => line.includes("libssl.so.3 "))
  .map((line) => realpathSync(line.slice(line.indexOf("=> ") + 3))) ?? [];

/** Runs a command that finds the library of the system to be an empty file. */
function hidden(
  command: readonly string[],
): { stdout: string; stderr: string; status: number | null } {
  const mounts = LIBRARIES.map((path) => `mount --bind /dev/null '${path}'`);
  const script = [...mounts, 'exec "$@"'].join(" && ");
  const args = ["-m", "sh", "-c", script, "sh", ...command];
  return spawnSync("unshare", args, { encoding: "utf8", timeout: 60_000 });
}

/** Mounts of one's own need rights that not every user has. */
const NO_HIDING = (LIBRARIES.length === 0 || hidden(["true"]).status !== 0) &&
  "the library of the system cannot be hidden here";

/** How a process describes the library that `SLUICE_LIBSSL` names. */
async function print(
  name?: string,
): Promise<{ name?: string; version?: string; error?: string; code?: string }> {
  const { code, stderr, stdout } = await runChild(PRINT, { env: { SLUICE_LIBSSL: name ?? "" } });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

describe("tlsLibrary()", () => {
  it("finds OpenSSL 3 or later", () => {
    const { kernelTls, name, version } = tlsLibrary();
    assert.match(version, /^OpenSSL ([3-9]|\d\d)\./);
    assert.equal(typeof kernelTls, "boolean");
    assert.notEqual(name, "");
  });

  it("names the packages to install where there is none", async () => {
    const { code, error } = await print("libssl-that-is-missing.so.3");
    assert.equal(code, "ERR_SLUICE_UNSUPPORTED");
    assert.match(error!, /libssl-that-is-missing/);
    for (const words of [/apt install libssl3/, /apk add libssl3/, /dnf install openssl-libs/]) {
      assert.match(error!, words);
    }
  });

  it("uses the functions that Node.js exports, if told to; the others export none", async () => {
    const { error, name } = await print("runtime");
    if (ON_NODE) assert.equal(name, "runtime");
    else assert.match(error!, /OpenSSL of (bun|deno) exports no OpenSSL_version/);
  });

  it("prefers the OpenSSL of Node.js only where it encrypts faster, and nothing else can", {
    skip: LIBRARIES.length === 0 ? "the system has no libssl.so.3" : false,
  }, async () => {
    const flags = /^flags.*$/m.exec(readFileSync("/proc/cpuinfo", "latin1"))?.[0].split(" ") ?? [];
    const faster = ON_NODE && ["avx512vl", "vaes", "vpclmulqdq"].every((it) =>
      flags.includes(it)
    ) &&
      /^OpenSSL 3\.0\./.test((await print("libssl.so.3")).version!) &&
      !/^3\.0\./.test(process.versions["openssl"]!) && probeKernelTls().state !== "works";
    assert.equal((await print()).name, faster ? "runtime" : "libssl.so.3");
  });

  it("does without the library of the system on Node.js, and says what is missing on others", {
    skip: NO_HIDING,
  }, () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    writeFileSync(join(folder, "data"), "payload");
    try {
      const [command, ...args] = commandLine(SERVE_ONCE, [folder]);
      const { stderr, stdout } = hidden([command!, ...args]);
      assert.notEqual(stdout, "", stderr);
      const { code, error, name, status } = JSON.parse(stdout);
      if (ON_NODE) {
        assert.deepEqual({ error, name, status }, {
          error: undefined,
          name: "runtime",
          status: 200,
        });
        return;
      }
      assert.equal(code, "ERR_SLUICE_UNSUPPORTED");
      for (const words of [/apt install libssl3/, /apk add libssl3/, /dnf install openssl-libs/]) {
        assert.match(error, words);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("refuses a library that is none", async () => {
    const { error } = await print("libm.so.6");
    assert.match(error!, /libm\.so\.6 (exports no OpenSSL_version|: cannot open)/);
  });
});

describe("unfit()", () => {
  it("refuses other libraries by name", () => {
    assert.equal(unfit("OpenSSL 3.0.19 27 Jan 2026"), undefined);
    assert.equal(unfit("OpenSSL 4.0.0 14 Apr 2026"), undefined);
    assert.match(unfit("LibreSSL 4.1.0")!, /LibreSSL/);
    assert.match(unfit("OpenSSL 1.1.1 (compatible; BoringSSL)")!, /BoringSSL/);
    assert.match(unfit("OpenSSL 1.1.1 (compatible; AWS-LC 1.49.1)")!, /BoringSSL/);
    assert.match(unfit("OpenSSL 1.1.1w  11 Sep 2023")!, /3\.0 or later/);
    assert.match(unfit("wolfSSL 5.7")!, /OpenSSL/);
  });
});

describe("the code that answers ALPN", () => {
  const source = (name: string) =>
    fileURLToPath(new URL(`../../src/tls/alpn/${name}`, import.meta.url));
  const has = (tool: string) => spawnSync(tool, ["--version"]).status === 0;

  /** Assembles a file by the given commands. */
  function assembled(name: string, as: string[], objcopy: string): Uint8Array {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    try {
      const [object, binary] = [join(folder, "a.o"), join(folder, "a.bin")];
      execFileSync(as[0]!, [...as.slice(1), source(name), "-o", object]);
      execFileSync(objcopy, ["-O", "binary", "-j", ".text", object, binary]);
      return new Uint8Array(readFileSync(binary));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  const NO_AS = !(process.arch === "x64" && has("as") && has("objcopy")) && "as is not installed";
  const NO_LLVM = !(has("llvm-mc") && has("llvm-objcopy")) && "llvm-mc is not installed";

  it("is what alpn_x64.s says", { skip: NO_AS }, () => {
    assert.deepEqual(alpnCode("x64"), assembled("alpn_x64.s", ["as"], "objcopy"));
  });

  it("is what alpn_arm64.s says", { skip: NO_LLVM }, () => {
    const as = ["llvm-mc", "-triple=aarch64-linux-gnu", "-filetype=obj"];
    assert.deepEqual(alpnCode("arm64"), assembled("alpn_arm64.s", as, "llvm-objcopy"));
  });

  it("is made once", () => {
    assert.notEqual(alpnCallback(), null);
    assert.equal(alpnCallback(), alpnCallback());
  });
});
