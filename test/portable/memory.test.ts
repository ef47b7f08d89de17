/** Mapped memory without foreign functions: refused, with the cause and the remedy. */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { capabilities, MappedFile, MappedMemory, UnsupportedError } from "../../src/mod.ts";

describe("mappings without foreign functions", () => {
  it("throw UnsupportedError, after the arguments were examined", () => {
    const calls = [
      () => MappedFile.open(process.execPath),
      () => MappedMemory.allocate(4096),
      () => MappedMemory.open(0),
    ];
    for (const call of calls) {
      assert.throws(call, (error) => {
        assert.ok(error instanceof UnsupportedError);
        assert.match(error.message, /SLUICE_FFI=none/);
        return true;
      });
    }
    assert.throws(() => MappedFile.open(process.execPath, { offset: -1 }), RangeError);
    assert.throws(() => MappedMemory.allocate(-1), RangeError);
  });

  it("say that nothing is guarded", () => {
    assert.equal(capabilities().faultGuard.state, "unavailable");
  });
});
