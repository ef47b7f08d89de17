import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LoopShare } from "../../../src/move/engine/loop_budget.ts";

function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe("LoopShare", () => {
  it("makes who comes next wait for the next turn, once a millisecond is spent", async () => {
    const share = new LoopShare();
    const order: string[] = [];
    setImmediate(() => order.push("the loop"));
    await share.turn();
    share.spend(() => busy(1.5));
    order.push("first");
    await Promise.all([1, 2].map(async () => {
      await share.turn();
      share.spend(() => busy(1.5));
      order.push("later");
    }));
    assert.deepEqual(order, ["first", "the loop", "later", "later"]);
  });

  it("returns what the call returns, and throws what it throws", () => {
    const share = new LoopShare();
    assert.equal(share.spend(() => 7), 7);
    assert.throws(() => share.spend(() => assert.fail("no")), { message: "no" });
  });

  it("is not calm after a call that has waited", () => {
    const share = new LoopShare();
    assert.equal(share.calm, true);
    share.spend(() => busy(7));
    assert.equal(share.calm, false);
  });
});
