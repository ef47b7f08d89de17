/** Tests without foreign functions; `npm test -- --none` runs them with SLUICE_FFI=none. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SyscallError, UnsupportedError } from "../../src/mod.ts";
import { sendfile } from "../../src/sys/raw/mod.ts";

describe("without foreign functions", () => {
  it("imports", () => {
    assert.equal(typeof SyscallError, "function");
  });

  it("throws UnsupportedError at the first call, and at every later one, naming the setting", () => {
    for (let round = 0; round < 2; round++) {
      assert.throws(() => sendfile(1, 0, null, 1), (error) => {
        assert.ok(error instanceof UnsupportedError);
        assert.match(error.message, /SLUICE_FFI=none/);
        assert.ok(error.cause instanceof Error);
        return true;
      });
    }
  });
});
