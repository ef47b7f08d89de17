import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backend } from "../../ffi/mod.ts";
import { runChild } from "../_kit/child.ts";

const PROGRAM = new URL("./_fixtures/in_use.ts", import.meta.url);

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

/** Skipped where the runtime refuses to send such a buffer to a Worker. */
const NOT_SENT: string | false = backend().name === "koffi" &&
  "Node.js does not transfer a buffer that koffi made";

describe("close() while the runtime uses the memory", () => {
  for (const use of USES) {
    const skip = use === "worker" ? NOT_SENT : false;
    it(`ends no process: ${use}`, { timeout: 100_000, skip }, async () => {
      const access = use === "read" || use === "randomFill" ? "write" : "read";
      const result = await runChild(PROGRAM, { args: [use, access], timeoutMs: 60_000 });
      assert.deepEqual([result.signal, result.code], [null, 0], result.stdout + result.stderr);
      assert.match(result.stdout, /alive\n$/);
    });
  }
});
