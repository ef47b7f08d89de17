import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backend } from "../../ffi/mod.ts";
import { runChild } from "../_kit/child.ts";

const PROGRAM = new URL("./_fixtures/copies.ts", import.meta.url);

describe("NODE_DEBUG=sluice", () => {
  for (const list of ["sluice", "http,SLUICE", "sl*"]) {
    it(`prints the backend and each transfer for NODE_DEBUG=${list}`, async () => {
      const { code, stderr } = await runChild(PROGRAM, { env: { NODE_DEBUG: list } });
      assert.equal(code, 0, stderr);
      assert.match(stderr, new RegExp(`^SLUICE \\d+: foreign calls by ${backend().name}$`, "m"));
      assert.match(stderr, /^SLUICE \d+: copyFile: 8388608 bytes by \S+ in \d+ ms$/m);
    });
  }

  for (const list of ["", "sluices", "http,net"]) {
    it(`prints nothing for NODE_DEBUG="${list}"`, async () => {
      const { code, stderr } = await runChild(PROGRAM, { env: { NODE_DEBUG: list } });
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stderr, /SLUICE \d/);
    });
  }
});
