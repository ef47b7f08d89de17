import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runtime } from "../../ffi/mod.ts";
import { type ChildResult, runChild } from "../_kit/child.ts";

const PROGRAM = new URL("./_fixtures/program.ts", import.meta.url);

const THREADS = new URL("./_fixtures/threads.ts", import.meta.url);

/** A Worker that calls process.exit() while it has a Worker leaves two of Deno's own open. */
const DENO_LEAKS = runtime().name === "deno" ? "Deno 2.9.6 leaks descriptors itself" : false;

/** From the trigger to the end of the process. */
const LIMIT_MS = 500;

function delay({ stdout, stderr, endedAt }: ChildResult): number {
  const trigger = /trigger (\d+)/.exec(stdout)?.[1];
  assert.ok(trigger !== undefined, `no trigger in ${JSON.stringify(stdout)}; ${stderr}`);
  return endedAt - Number(trigger);
}

function assertEnded(result: ChildResult, code: number): void {
  const ms = delay(result);
  assert.deepEqual([result.code, result.signal], [code, null], result.stderr);
  assert.ok(ms < LIMIT_MS, `ended ${ms} ms after the trigger`);
}

describe("a program whose threads are parked", () => {
  for (const state of ["idle", "pending"]) {
    it(`ends at process.exit() with its code, ${state}`, async () => {
      assertEnded(await runChild(PROGRAM, { args: [state, "exit"] }), 7);
    });

    it(`ends at an uncaught throw, ${state}`, async () => {
      const result = await runChild(PROGRAM, { args: [state, "throw"] });
      assertEnded(result, 1);
      assert.match(result.stderr, /thrown on purpose/);
    });

    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      it(`ends at ${signal}, ${state}`, async () => {
        let sent = 0;
        const result = await runChild(PROGRAM, {
          args: [state, state === "idle" ? "stay" : "none"],
          onOutput(output, kill) {
            if (sent !== 0 || !output.includes("trigger")) return;
            sent = Date.now();
            kill(signal);
          },
        });
        assert.equal(result.signal, signal);
        assert.ok(result.endedAt - sent < LIMIT_MS, `ended after ${result.endedAt - sent} ms`);
      });
    }

    it(`ends when the user's Worker that has them is terminated, ${state}`, async () => {
      const result = await runChild(PROGRAM, { args: [state, "terminate", "worker"] });
      assertEnded(result, 0);
      assert.match(result.stdout, /terminated/);
    });

    it(`ends when the user's Worker that has them calls process.exit(), ${state}`, async () => {
      assertEnded(await runChild(PROGRAM, { args: [state, "exit", "worker"] }), 0);
    });

    it(`ends when the user's Worker that has them throws, ${state}`, async () => {
      const result = await runChild(PROGRAM, { args: [state, "throw", "worker"] });
      assertEnded(result, 1);
    });
  }

  it("ends when nothing is left to do", async () => {
    assertEnded(await runChild(PROGRAM, { args: ["idle", "none"] }), 0);
  });

  it("ends when the user's Worker that has them has nothing left to do", async () => {
    assertEnded(await runChild(PROGRAM, { args: ["idle", "none", "worker"] }), 0);
  });

  for (const [how, skip] of [["end", false], ["exit", DENO_LEAKS]] as const) {
    it(`leaves no descriptor behind in a user's Worker that ends by itself: ${how}`, {
      skip,
    }, async () => {
      const { stdout, stderr } = await runChild(THREADS, { args: [how] });
      const counts = stdout.trim().split("\n").map(Number);
      assert.equal(counts.length, 5, stderr);
      assert.ok(counts[4]! <= counts[1]!, `open after each: ${counts}`);
    });
  }

  for (const place of ["main", "worker"]) {
    it(`goes on while something is waited for, in the ${place} thread`, async () => {
      const result = await runChild(PROGRAM, { args: ["late", "none", place] });
      assert.equal(result.code, 0, result.stderr);
      assert.match(result.stdout, /resolved/);
      assert.ok(delay(result) < 400 + LIMIT_MS);
    });
  }
});
