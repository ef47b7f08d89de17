/** What can be tested without an RDMA device; `test/vm/rdma.sh` has the rest. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { loadRdma, NoRdmaError } from "../../examples/rdma_copy/rsocket.ts";
import { runChild } from "../_kit/child.ts";

const EXAMPLE = new URL("../../examples/rdma_copy.ts", import.meta.url);
const FILE = fileURLToPath(EXAMPLE);
const NO_CALLS = process.env["SLUICE_FFI"] === "none" ? "there are no foreign calls" : false;
const DEVICE = existsSync("/sys/class/infiniband") ? "this machine has an RDMA device" : false;

const run = (...args: string[]) => runChild(EXAMPLE, { args });

describe("examples/rdma_copy.ts", () => {
  it("says what to install without the library", { skip: NO_CALLS }, () => {
    const { signal } = new AbortController();
    assert.throws(() => loadRdma(signal, "librdmacm-that-is-missing.so"), (error) => {
      assert.ok(error instanceof NoRdmaError);
      assert.match(error.message, /librdmacm-that-is-missing.*librdmacm1 and ibverbs-providers/);
      return true;
    });
  });

  it("exits with 2 without a device, or without the library", {
    skip: NO_CALLS || DEVICE,
  }, async () => {
    const ended = await Promise.all([
      run("serve", "127.0.0.1", "."),
      run("send", FILE, "::1", "--map", "--port", "7"),
    ]);
    for (const { code, stderr } of ended) {
      assert.equal(code, 2, stderr);
      assert.match(stderr, /^(There is no RDMA device.*soft-RoCE|Cannot load librdmacm)/m);
    }
  });

  it("explains itself, and refuses what it does not understand", async () => {
    const { code, stdout } = await run("--help");
    assert.deepEqual([code, /^Usage: rdma_copy serve ADDRESS FOLDER/.test(stdout)], [0, true]);
    const wrong = [["fetch", "127.0.0.1", "."], ["send", FILE, "localhost"]];
    wrong.push(["serve", "127.0.0.1", ".", "--port", "65536"]);
    for (const { code, stderr } of await Promise.all(wrong.map((args) => run(...args)))) {
      assert.equal(code, 2, stderr);
      assert.match(stderr, /\nUsage: rdma_copy/);
    }
  });
});
