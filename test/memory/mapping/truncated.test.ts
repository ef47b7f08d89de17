import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runChild } from "../../_kit/child.ts";

const PROGRAM = new URL("../_fixtures/truncated.ts", import.meta.url);

const WAYS: Record<string, string> = {
  load: "reads as zeroes, and every later call throws",
  unreported: "makes close() throw when nobody has heard of it",
  store: "loses stores, and flush() and close() throw",
  unnoticed: "makes flush() throw for stores of before",
  "copy-on-write": "makes close() of a private mapping throw",
  resize: "is over after resize()",
  scattered: "needs no mapping for each page",
  copies: "harms no copy, hash, decoder or compiler",
  pool: "harms no thread of the runtime",
  kernel: "is an error of the calls that get the memory",
  again: "may happen to one file after another",
  worker: "is guarded against by one guard in all Workers",
};

describe("a mapped file that gets shorter", () => {
  for (const [way, text] of Object.entries(WAYS)) {
    it(`${text} (${way})`, { timeout: 100_000 }, async () => {
      const result = await runChild(PROGRAM, { args: [way], timeoutMs: 60_000 });
      assert.deepEqual([result.signal, result.code], [null, 0], result.stdout + result.stderr);
      assert.match(result.stdout, /alive\n$/);
    });
  }
});

describe("SLUICE_FAULT_GUARD=off", () => {
  const env = { SLUICE_FAULT_GUARD: "off" };

  it("leaves the checked reads", { timeout: 100_000 }, async () => {
    const result = await runChild(PROGRAM, { args: ["off"], env });
    assert.deepEqual([result.signal, result.code], [null, 0], result.stdout + result.stderr);
  });

  it("installs no handler: touching a missing page kills", { timeout: 100_000 }, async () => {
    const result = await runChild(PROGRAM, { args: ["unguarded"], env });
    assert.match(result.stdout, /touching/);
    assert.notEqual(result.code, 0);
    assert.doesNotMatch(result.stdout, /alive/);
  });
});
