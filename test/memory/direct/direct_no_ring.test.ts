import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { platform } from "../../../ffi/platform/mod.ts";
import { runChild } from "../../_kit/child.ts";
import { withPath } from "./_direct.ts";

const PROGRAM = new URL("../_fixtures/no_ring.ts", import.meta.url);
const { io_uring_setup, io_uring_register } = platform.syscalls;

/** As containers and old kernels refuse it. */
const REFUSALS = [
  ["io_uring_setup(2) fails with EPERM", io_uring_setup, 1],
  ["io_uring_setup(2) fails with ENOSYS", io_uring_setup, 38],
  ["io_uring_register(2) fails with EACCES", io_uring_register, 13],
] as const;

describe("DirectFile without a ring", () => {
  for (const [what, call, errno] of REFUSALS) {
    it(`works by threads where ${what}`, { timeout: 100_000 }, () =>
      withPath("", async (path) => {
        const args = [String(call), String(errno), path];
        const result = await runChild(PROGRAM, {
          args,
          env: { SLUICE_RING: "" },
          timeoutMs: 60_000,
        });
        assert.deepEqual([result.code, result.signal], [0, null], result.stdout + result.stderr);
        const found = JSON.parse(result.stdout);
        assert.deepEqual(found, { engine: "threads", count: 65_536, good: true });
      }));
  }
});
