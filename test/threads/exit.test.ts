import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runtime } from "../../ffi/mod.ts";
import { type ChildResult, runChild } from "../_kit/child.ts";
import { assertQuick } from "../_kit/quick.ts";

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

/** Runs the program until it ends in time; how it ends must be right every time. */
async function assertEnds(code: number, ...args: string[]): Promise<ChildResult> {
  let result: ChildResult | undefined;
  await assertQuick(LIMIT_MS, async () => {
    result = await runChild(PROGRAM, { args });
    assert.deepEqual([result.code, result.signal], [code, null], result.stderr);
    return delay(result);
  });
  return result!;
}

describe("a program whose threads are parked", () => {
  for (const state of ["idle", "pending"]) {
    it(`ends at process.exit() with its code, ${state}`, async () => {
      await assertEnds(7, state, "exit");
    });

    it(`ends at an uncaught throw, ${state}`, async () => {
      const result = await assertEnds(1, state, "throw");
      assert.match(result.stderr, /thrown on purpose/);
    });

    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      it(`ends at ${signal}, ${state}`, async () => {
        await assertQuick(LIMIT_MS, async () => {
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
          return result.endedAt - sent;
        });
      });
    }

    it(`ends when the user's Worker that has them is terminated, ${state}`, async () => {
      const result = await assertEnds(0, state, "terminate", "worker");
      assert.match(result.stdout, /terminated/);
    });

    it(`ends when the user's Worker that has them calls process.exit(), ${state}`, async () => {
      await assertEnds(0, state, "exit", "worker");
    });

    it(`ends when the user's Worker that has them throws, ${state}`, async () => {
      await assertEnds(1, state, "throw", "worker");
    });
  }

  it("ends when nothing is left to do", async () => {
    await assertEnds(0, "idle", "none");
  });

  it("ends when the user's Worker that has them has nothing left to do", async () => {
    await assertEnds(0, "idle", "none", "worker");
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
      await assertQuick(400 + LIMIT_MS, async () => {
        const result = await runChild(PROGRAM, { args: ["late", "none", place] });
        assert.equal(result.code, 0, result.stderr);
        assert.match(result.stdout, /resolved/);
        return delay(result);
      });
    });
  }
});
