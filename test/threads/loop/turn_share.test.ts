import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Loop } from "../../../src/threads/loop/loop.ts";
import { TurnShare } from "../../../src/threads/loop/turn_share.ts";
import { scoped } from "../../_kit/fds.ts";
import { testLoop } from "./_job.ts";

/** Keeps the processor busy for some milliseconds. */
function work(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** Makes every turn of the loop longer than the share, before the tasks that ask later. */
function keepBusy(loop: Loop): () => number {
  let turns = 0;
  const task = {
    onTurn() {
      turns++;
      work(8);
      loop.again(task);
    },
  };
  loop.again(task);
  return () => turns;
}

describe("TurnShare", () => {
  it(
    "runs a step at once while the turn has time",
    scoped((scope) => {
      const { loop } = testLoop(scope);
      const share = new TurnShare(() => loop);
      let count = 0;
      share.run({ proceed: () => void count++ });
      share.run({ proceed: () => void count++ });
      assert.equal(count, 2);
    }),
  );

  it(
    "runs steps in every turn, however long the other tasks take",
    scoped((scope) => {
      const seen: string[] = [];
      // A turn that the machine delays is long, and so is its share: it may then end all steps.
      for (let attempt = 0; attempt < 5; attempt++) {
        const { loop, run, stop } = testLoop(scope);
        const share = new TurnShare(() => loop);
        const turns = keepBusy(loop);
        const ran: number[] = [];
        for (let i = 0; i < 12; i++) {
          share.run({
            proceed() {
              ran.push(i);
              work(3);
              if (ran.length === 12) stop();
            },
          });
        }
        const early = ran.length;
        assert.ok(early >= 1, `${early} at once`);
        if (early < 12) run();
        assert.deepEqual(ran, Array.from(ran, (_, i) => i), "in the order of their arrival");
        assert.ok(turns() <= 14, `${turns()} turns`);
        if (early < 12 && turns() >= 3) return;
        seen.push(`${early} at once, ${turns()} turns`);
      }
      assert.fail(seen.join("; "));
    }),
  );

  it(
    "does not prefer new steps to those that wait",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const share = new TurnShare(() => loop);
      const ran: string[] = [];
      const step = (name: string) => ({
        proceed() {
          ran.push(name);
          work(6);
        },
      });
      share.run(step("first"));
      share.run({ proceed: () => ran.push("second") && stop() });
      const task = {
        onTurn() {
          share.run(step("new"));
          loop.again(task);
        },
      };
      loop.again(task);
      run();
      assert.deepEqual(ran.slice(0, 2), ["first", "second"]);
    }),
  );

  it(
    "forgets a step, and runs one that asks twice once",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const share = new TurnShare(() => loop);
      let count = 0;
      const dropped = { proceed: () => assert.fail("it was forgotten") };
      const twice = { proceed: () => void count++ };
      // More than the share of this turn, which the machine may have delayed.
      share.run({ proceed: () => work(6 + performance.now() - loop.now) });
      for (const step of [dropped, twice, twice, { proceed: stop }]) share.run(step);
      share.forget(dropped);
      run();
      assert.equal(count, 1);
    }),
  );
});
