import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runChild } from "../../_kit/child.ts";

const PROGRAM = new URL("../_fixtures/in_use.ts", import.meta.url);

const USES = [
  "gzip",
  "brotli",
  "write",
  "read",
  "handle",
  "pbkdf2",
  "randomFill",
  "digest",
  "hash",
  "compile",
  "socket",
  "worker",
];

describe("close() while the runtime uses the memory", () => {
  for (const use of USES) {
    it(`ends no process: ${use}`, { timeout: 100_000 }, async () => {
      const access = use === "read" || use === "randomFill" ? "write" : "read";
      const result = await runChild(PROGRAM, { args: [use, access], timeoutMs: 60_000 });
      assert.deepEqual([result.signal, result.code], [null, 0], result.stdout + result.stderr);
      assert.match(result.stdout, /alive\n$/);
    });
  }
});
