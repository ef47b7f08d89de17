import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Mechanism } from "../../src/probe/attempt.ts";
import { probeTls, untriedTls } from "../../src/tls/capabilities.ts";

const WORKS: Mechanism = { state: "works", detail: "TLS records made by the kernel", remedy: null };
const MISSING: Mechanism = { state: "missing", detail: "ENOENT", remedy: "`modprobe tls`" };

/** A library as `tlsLibrary()` describes it. */
const library = (name: string, kernelTls: boolean) => () => ({
  name,
  version: "OpenSSL 3.0.19 27 Jan 2026",
  kernelTls,
});

describe("probeTls()", () => {
  it("says that the kernel encrypts where the kernel and the library can", () => {
    assert.deepEqual(probeTls(WORKS, library("libssl.so.3", true)), {
      library: "libssl.so.3",
      version: "OpenSSL 3.0.19 27 Jan 2026",
      reason: null,
      kernelTls: WORKS,
    });
  });

  it("has the kernel's reason where the kernel cannot", () => {
    assert.equal(probeTls(MISSING, library("libssl.so.3", true)).kernelTls, MISSING);
  });

  it("names the library where that is built without", () => {
    const { kernelTls } = probeTls(WORKS, library("/opt/libssl.so", false));
    assert.equal(kernelTls.state, "missing");
    assert.match(kernelTls.detail, /\/opt\/libssl\.so is built without kTLS/);
    assert.match(kernelTls.remedy!, /enable-ktls/);
    const own = probeTls(WORKS, library("runtime", false)).kernelTls;
    assert.match(own.detail, /OpenSSL of Node\.js/);
    assert.match(own.remedy!, /install/);
  });

  it("says why there is no library", () => {
    const none = probeTls(WORKS, () => {
      throw new Error("no usable OpenSSL was found");
    });
    assert.equal(none.library, null);
    assert.equal(none.version, null);
    assert.equal(none.reason, "no usable OpenSSL was found");
    assert.equal(none.kernelTls.state, "unknown");
  });

  it("cannot say anything without foreign functions", () => {
    const { kernelTls, library, reason } = untriedTls("SLUICE_FFI=none");
    assert.deepEqual([library, reason], [null, "SLUICE_FFI=none"]);
    assert.equal(kernelTls.state, "unknown");
    assert.equal(kernelTls.remedy, "SLUICE_FFI=none");
  });
});
