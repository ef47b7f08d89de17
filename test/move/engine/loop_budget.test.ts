import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LoopShare } from "../../../src/move/engine/loop_budget.ts";

function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe("LoopShare", () => {
  it("makes who comes next wait for the next turn, once a millisecond is spent", async () => {
    const share = new LoopShare(() => 0);
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
    const share = new LoopShare(() => 0);
    assert.equal(share.spend(() => 7), 7);
    assert.throws(() => share.spend(() => assert.fail("no")), { message: "no" });
  });

  it("is not calm after two slow calls of eight that have waited", () => {
    let waits = 0;
    const share = new LoopShare(() => waits);
    const slow = (waited: boolean) =>
      share.spend(() => {
        if (waited) waits++;
        busy(7);
      });
    for (let i = 0; i < 3; i++) slow(false);
    assert.equal(share.calm, true, "another process ran");
    slow(true);
    assert.equal(share.calm, true);
    for (let i = 0; i < 8; i++) share.spend(() => {});
    slow(true);
    assert.equal(share.calm, true, "the first is forgotten");
    slow(true);
    assert.equal(share.calm, false);
  });
});
