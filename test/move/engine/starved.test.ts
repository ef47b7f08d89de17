import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AwaitedSteps, drive } from "../../../src/move/engine/driver.ts";
import { TransferProgress } from "../../../src/move/engine/progress.ts";
import { MOST_STARVED } from "../../../src/move/engine/step/outcome.ts";
import { errnoNumber } from "../../../src/errors.ts";

const ENOMEM = -errnoNumber("ENOMEM");

/** Runs `task` while timers fire at once. */
async function withoutDelay<T>(task: () => Promise<T>): Promise<T> {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = ((callback: () => void) => setImmediate(callback)) as never;
  try {
    return await task();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}

/** Drives a step that returns `results`, then the last one for ever. */
async function calls(results: readonly number[]): Promise<{ count: number; result: number }> {
  let count = 0;
  let left = 10;
  const steps: AwaitedSteps = {
    method: "copy",
    patient: true,
    next: () => Promise.resolve(left),
    step: () => results[Math.min(count++, results.length - 1)]!,
    moved: (moved) => left -= moved,
    wait: () => {},
  };
  const progress = new TransferProgress({}, 10, "transfer");
  const result = await withoutDelay(() => drive(steps, progress));
  return { count, result };
}

describe("a kernel without memory", () => {
  it("is waited for", async () => {
    assert.deepEqual(await calls([5, ENOMEM, ENOMEM, 5]), { count: 4, result: 1 });
  });

  it("is a failure in the end", async () => {
    assert.deepEqual(await calls([ENOMEM]), { count: MOST_STARVED + 1, result: ENOMEM });
  });

  it("has all the time again after each byte", async () => {
    const once = Array<number>(MOST_STARVED).fill(ENOMEM);
    const { result } = await calls([...once, 1, ...once, 9]);
    assert.equal(result, 1);
  });
});
