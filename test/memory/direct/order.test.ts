import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { inPieces } from "../../../src/memory/direct/pieces.ts";
import { Order } from "../../../src/memory/direct/order.ts";

describe("Order", () => {
  it("lets reads and aligned writes go at once", () => {
    const order = new Order();
    assert.equal(order.enter(0, 10, false)[1], undefined);
    assert.equal(order.enter(0, 10, false)[1], undefined);
    assert.equal(order.crowded, false);
  });

  it("makes one that must be alone wait for those in its span, and no others", async () => {
    const order = new Order();
    const [inside] = order.enter(0, 10, false);
    order.enter(20, 30, false);
    const [alone, turn] = order.enter(5, 20, true);
    assert.ok(turn !== undefined);
    assert.equal(order.enter(30, 40, true)[1], undefined);
    order.leave(inside);
    await turn;
    order.leave(alone);
  });

  it("never lets two meet of which one must be alone, and everyone goes in the end", async () => {
    const span = fc.record({
      start: fc.nat(50),
      length: fc.integer({ min: 1, max: 50 }),
      open: fc.boolean(),
      exclusive: fc.boolean(),
      steps: fc.nat(5),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(span, { maxLength: 30 }), async (spans) => {
        const order = new Order();
        const inside = new Set<{ start: number; end: number; exclusive: boolean }>();
        await Promise.all(spans.map(async ({ start, length, open, exclusive, steps }) => {
          const end = open ? Infinity : start + length;
          const [entered, turn] = order.enter(start, end, exclusive);
          if (turn !== undefined) await turn;
          for (const other of inside) {
            const meets = other.start < end && start < other.end;
            assert.ok(!meets || !(exclusive || other.exclusive));
          }
          const own = { start, end, exclusive };
          inside.add(own);
          for (let i = 0; i < steps; i++) await Promise.resolve();
          inside.delete(own);
          order.leave(entered);
        }));
        assert.equal(order.crowded, false);
        await order.settled();
      }),
      { numRuns: 200 },
    );
  });
});

describe("inPieces()", () => {
  it("covers the range once, in order, a few pieces at a time", async () => {
    const pieces: [number, number][] = [];
    let running = 0;
    let most = 0;
    const done = await inPieces(5, 1003, 10, async (start, end) => {
      pieces.push([start, end]);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return end;
    });
    assert.deepEqual(done, { reached: 1003, failure: undefined });
    assert.equal(pieces.length, 100);
    pieces.forEach(([start, end], i) => {
      assert.equal(start, 5 + 10 * i);
      assert.equal(end, Math.min(start + 10, 1003));
    });
    assert.equal(most, 4);
  });

  it("stops at the first gap, and resolves when nothing is in flight", async () => {
    let running = 0;
    const failure = Object.assign(new Error("no"), { bytesMoved: 3 });
    const done = await inPieces(0, 1000, 10, async (start, end) => {
      running++;
      await new Promise((resolve) => setTimeout(resolve, start === 30 ? 1 : 5));
      running--;
      if (start === 30) throw failure;
      return end;
    });
    assert.deepEqual(done, { reached: 33, failure });
    assert.equal(running, 0);
  });

  it("stops where a piece ends early, as at the end of a file", async () => {
    const done = await inPieces(
      0,
      1000,
      10,
      (start, end) => Promise.resolve(Math.min(end, Math.max(start, 44))),
    );
    assert.deepEqual(done, { reached: 44, failure: undefined });
  });
});
