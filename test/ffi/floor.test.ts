import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { release } from "node:os";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { libraryName } from "../../ffi/libc/mod.ts";
import { backend, runtime, tooOld } from "../../ffi/mod.ts";
import type { Capabilities } from "../../src/capabilities.ts";

const PROBE = fileURLToPath(new URL("../_kit/floor_probe.ts", import.meta.url));
const CLI = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const CORE = new URL("../../src/mod.ts", import.meta.url).href;
const HTTP = new URL("../../src/http/mod.ts", import.meta.url).href;
const OLD = "Node.js 20.20.2 is too old: sluice needs Node.js 22.18 or later";
const TIMEOUT_MS = 60_000;

const { name } = runtime();
const NOT_DENO: string | false = name !== "deno" && "only Deno asks before foreign calls";
const NOT_NODE: string | false = name !== "node" && "only Node.js has --permission";
const NOT_NODE_FFI: string | false = backend().name !== "node" && "only node:ffi needs --allow-ffi";
const NOT_KOFFI: string | false = backend().name !== "koffi" && "only koffi needs --allow-addons";

interface Answer {
  readonly capabilities: Capabilities;
  readonly thrown: { name: string; code: string; message: string; hasCause: boolean } | null;
}

/** Starts the running runtime anew and returns what works there. */
function probe(flags: string[], env: Record<string, string> = {}): Answer {
  const command = name === "deno" ? ["run", "--no-check", "--no-prompt"] : [];
  // By way of a shell that finds the runtime in its environment: where Deno recognises its own path
  // among the arguments, it rewrites them and hands its permissions on.
  const args = ["-c", 'exec "$RUNTIME" "$@"', "sh", ...command, ...flags, PROBE];
  const { status, stdout, stderr } = spawnSync("/bin/sh", args, {
    encoding: "utf8",
    timeout: TIMEOUT_MS,
    env: { ...process.env, NODE_OPTIONS: "", RUNTIME: process.execPath, ...env },
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

/** Checks that importing worked, and that both ways to ask give this reason. */
function refused({ capabilities, thrown }: Answer, reason: RegExp): void {
  assert.equal(capabilities.supported, false);
  assert.match(capabilities.reason!, reason);
  assert.deepEqual([capabilities.backend, capabilities.libc, capabilities.missing], [
    null,
    null,
    [],
  ]);
  assert.equal(capabilities.runtime.name, name);
  assert.deepEqual([thrown?.name, thrown?.code, thrown?.hasCause], [
    "UnsupportedError",
    "ERR_SLUICE_UNSUPPORTED",
    true,
  ]);
  assert.match(thrown!.message, reason);
}

describe("a runtime that is too old", () => {
  it("is told which version is needed", () => {
    assert.equal(tooOld(), undefined, "this one is not");
    for (const version of ["22.18.0", "22.100.1", "23.0.0-nightly", "26.9.0"]) {
      assert.equal(tooOld({ name: "node", version }), undefined, version);
    }
    const reason = "Node.js 22.17.9 is too old: sluice needs Node.js 22.18 or later";
    assert.equal(tooOld({ name: "node", version: "22.17.9" }), reason);
    assert.match(tooOld({ name: "bun", version: "1.3.10" })!, /needs Bun 1\.4 or later/);
    assert.match(tooOld({ name: "deno", version: "2.8.3" })!, /needs Deno 2\.9 or later/);
    assert.equal(tooOld({ name: "unknown", version: "" }), undefined);
  });

  it("makes no foreign calls, and the command and servers say why", { skip: NOT_NODE }, () => {
    const old = "Object.defineProperty(process.versions,'node',{value:'20.20.2'});" +
      "delete Promise.withResolvers;";
    const flag = ["--import", `data:text/javascript,${encodeURIComponent(old)}`];
    refused(probe(flag), /Node\.js 20\.20\.2 is too old: sluice needs Node\.js 22\.18 or later/);
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [...flag, ...args], { encoding: "utf8", timeout: TIMEOUT_MS });
    const serve = run(CLI, "serve", ".", "--port", "0");
    assert.equal(serve.status, 1, serve.stderr);
    assert.equal(serve.stderr, `sluice: Cannot run sluice serve: ${OLD}\n`);
    assert.match(run(CLI, "doctor").stdout, /20\.20\.2 is too old/);
    const program = `import { createFileServer } from ${JSON.stringify(HTTP)};
      import { createRelay } from ${JSON.stringify(CORE)};
      for (const make of [
        () => createFileServer({ root: "." }),
        () => createRelay({ listen: ":0", upstream: ":1" }),
      ]) try { make(); } catch (error) { console.log(error.message); }`;
    const { stdout } = run("--input-type=module", "-e", program);
    assert.equal(stdout, `Cannot serve files: ${OLD}\nCannot make a relay: ${OLD}\n`);
  });
});

describe("the floor", () => {
  const all = name === "deno" ? ["-A"] : [];

  it("is not reached where all is permitted", () => {
    const { capabilities, thrown } = probe(all);
    assert.equal(thrown, null);
    const { mechanisms, limits, network, tls, ...rest } = capabilities;
    assert.equal(mechanisms.sendfile.state, "works");
    assert.ok(limits !== null && network !== null);
    assert.ok(tls.library !== null || tls.reason !== null);
    assert.deepEqual(rest, {
      supported: true,
      reason: null,
      runtime: runtime(),
      backend: backend().name,
      system: `${process.platform}-${process.arch}`,
      kernel: release(),
      libc: libraryName(),
      missing: [],
      // Nothing is installed before the first file is mapped.
      faultGuard: { state: "idle", reason: null },
    });
  });

  it("is reached with SLUICE_FFI=none", () => {
    refused(probe(all, { SLUICE_FFI: "none" }), /SLUICE_FFI=none turns them off; unset it/);
  });

  it("is reached with a setting that does not exist", () => {
    refused(probe(all, { SLUICE_FFI: "magic" }), /SLUICE_FFI="magic": expected "koffi", "node"/);
  });

  it("is reached on Deno without --allow-ffi", { skip: NOT_DENO }, () => {
    refused(probe([]), /start Deno with --allow-ffi \(without a path\)/);
  });

  for (const path of ["/lib/x86_64-linux-gnu/libc.so.6", "libc.so.6"]) {
    it(`is reached on Deno with --allow-ffi=${path}`, { skip: NOT_DENO }, () => {
      refused(probe([`--allow-ffi=${path}`]), /Deno.+--allow-ffi.+path/i);
    });
  }

  it("is not reached on Deno with --allow-ffi and nothing else", { skip: NOT_DENO }, () => {
    assert.equal(probe(["--allow-ffi"]).capabilities.supported, true);
  });

  const permission = ["--permission", "--allow-fs-read=*"];

  it("is reached on Node.js with --permission alone", { skip: NOT_NODE }, () => {
    refused(probe(permission), /start Node\.js with .*--allow-addons/);
  });

  it("is not reached on Node.js with --allow-ffi", { skip: NOT_NODE_FFI }, () => {
    assert.equal(probe([...permission, "--allow-ffi"]).capabilities.backend, "node");
  });

  it("is not reached on Node.js with --allow-addons", { skip: NOT_KOFFI }, () => {
    assert.equal(probe([...permission, "--allow-addons"]).capabilities.backend, "koffi");
  });
});
