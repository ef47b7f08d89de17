import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { Capabilities } from "../../src/capabilities.ts";
import { probeKernelTls } from "../../src/probe/sockets.ts";
import { runChild } from "../_kit/child.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url);
const ON_NODE = !("Bun" in globalThis) && !("Deno" in globalThis);
const ESCAPE = "\x1b[";

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runChild(MAIN, { args: ["doctor", ...args], env, timeoutMs: 60_000 });

describe("sluice doctor", () => {
  it("prints every mechanism with its state, and ends with 0 where sendfile works", async () => {
    const { code, stdout, stderr } = await run([]);
    assert.equal(code, 0, stderr);
    for (const name of ["sendfile", "splice", "io_uring", "kTLS", "Landlock", "huge pages"]) {
      assert.match(stdout, new RegExp(`^  ${name} +(works|missing|forbidden|unknown)`, "m"));
    }
    assert.match(stdout, /^ {2}lo +DMA gather: yes {2}checksum: yes/m);
    assert.match(
      stdout,
      /^ {2}RDMA +devices: \S.* {2}library: (librdmacm\.so\.1|none \(librdmacm1)/m,
    );
    assert.match(stdout, /sends without copying here\.\n$/);
  });

  it("says which TLS library there is, and whether the kernel encrypts for it", async () => {
    const { stdout } = await run([]);
    assert.match(
      stdout,
      /^HTTPS\n {2}TLS library +works +OpenSSL [3-9]\.\S+ .*, (libssl\.so\.3|exported by Node\.js)\n/m,
    );
    assert.match(stdout, /^ {2}sendfile by kTLS +(works|missing|forbidden) +\S/m);
  });

  it("says of a TLS library that is missing what to install, and sends over HTTP still", async () => {
    const { code, stdout } = await run([], { SLUICE_LIBSSL: "libssl-that-is-missing.so" });
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^ {2}TLS library +missing +.*libssl-that-is-missing.*apt install libssl3/m,
    );
    assert.doesNotMatch(stdout, /sendfile by kTLS/);
  });

  it("says why the OpenSSL of Node.js leaves nothing to the kernel", {
    skip: ON_NODE ? false : "Bun and Deno export no OpenSSL",
  }, async () => {
    const { stdout } = await run([], { SLUICE_LIBSSL: "runtime" });
    assert.match(stdout, /^ {2}TLS library +works +OpenSSL .*, exported by Node\.js$/m);
    const kernel = probeKernelTls();
    const why = kernel.state === "works"
      ? "the OpenSSL of Node.js is built without"
      : kernel.detail.slice(0, 20);
    const [, found = ""] = /^ {2}sendfile by kTLS +missing +(.*)$/m.exec(stdout) ?? [];
    assert.ok(found.startsWith(why), stdout);
  });

  it("prints with --json what capabilities() returns", async () => {
    const { code, stdout } = await run(["--json"]);
    const found = JSON.parse(stdout) as Capabilities;
    assert.equal(code, 0);
    assert.equal(found.supported, true);
    assert.equal(found.mechanisms.sendfile.state, "works");
    assert.ok(found.limits!.openFiles.soft === null || found.limits!.openFiles.soft > 0);
  });

  it("uses no colours where nobody sees them, and none with NO_COLOR", async () => {
    const env = { NO_COLOR: "", FORCE_COLOR: "" };
    assert.ok(!(await run([], env)).stdout.includes(ESCAPE));
    assert.ok((await run([], { ...env, FORCE_COLOR: "1" })).stdout.includes(ESCAPE));
    assert.ok(!(await run([], { FORCE_COLOR: "1", NO_COLOR: "1" })).stdout.includes(ESCAPE));
  });

  it("says without foreign calls why, ends with 1 and has all mechanisms unknown", async () => {
    const none = { SLUICE_FFI: "none" };
    const text = await run([], none);
    assert.equal(text.code, 1);
    assert.match(text.stdout, /SLUICE_FFI=none/);
    const found = JSON.parse((await run(["--json"], none)).stdout) as Capabilities;
    assert.equal(found.supported, false);
    assert.deepEqual([found.limits, found.network], [null, null]);
    assert.deepEqual([found.tls.library, found.tls.version], [null, null]);
    assert.match(found.tls.reason!, /SLUICE_FFI/);
    assert.equal(found.tls.kernelTls.state, "unknown");
    for (const { state, remedy } of Object.values(found.mechanisms)) {
      assert.equal(state, "unknown");
      assert.match(remedy!, /SLUICE_FFI/);
    }
  });

  it("tries the folder that it is given", async () => {
    const { stdout } = await run(["/proc"]);
    assert.match(stdout, /^ {2}reflink +unknown +no file can be made in \/proc/m);
  });

  it("says what is wrong with the folder that it is given, with exit code 1", async () => {
    const absent = await run(["nope"]);
    assert.deepEqual([absent.code, absent.stdout], [1, ""]);
    assert.match(absent.stderr, /^sluice: Cannot try nope: there is no such folder; name a folder/);
    const json = await run(["nope", "--json"]);
    assert.match(JSON.parse(json.stdout).error.message, /no such folder/);
    const file = await run([fileURLToPath(MAIN)]);
    assert.equal(file.code, 1);
    assert.match(file.stderr, /it is a file; name its folder/);
    assert.equal((await run([""])).code, 1);
  });

  it("refuses what it does not know with exit code 2", async () => {
    assert.equal((await run(["--bogus"])).code, 2);
    assert.equal((await run(["a", "b"])).code, 2);
  });
});
