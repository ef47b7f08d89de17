import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TICK_MS, Timer, Timers } from "../../../src/threads/loop/timers.ts";

/** A timer that notes its name when it fires. */
function named(fired: string[], name: string): Timer {
  return new Timer({ onTimeout: () => fired.push(name) });
}

describe("Timers", () => {
  it("fire once, not before their time and at most a tick later", () => {
    const fired: string[] = [];
    const timers = new Timers(1000);
    timers.start(named(fired, "a"), 100);
    timers.advance(1099);
    assert.deepEqual(fired, []);
    timers.advance(1100 + TICK_MS);
    assert.deepEqual(fired, ["a"]);
    timers.advance(1e6);
    assert.deepEqual(fired, ["a"]);
  });

  it("can be longer than a round of the wheel", () => {
    const fired: string[] = [];
    const timers = new Timers(0);
    timers.start(named(fired, "a"), 100_000);
    for (let now = 0; now < 100_000; now += 50) timers.advance(now);
    assert.deepEqual(fired, []);
    timers.advance(100_000 + TICK_MS);
    assert.deepEqual(fired, ["a"]);
  });

  it("can be restarted, stopped, and started by those that fire", () => {
    const fired: string[] = [];
    const timers = new Timers(0);
    const stopped = named(fired, "stopped");
    timers.start(stopped, 50);
    assert.ok(stopped.running);
    const again: Timer = new Timer({
      onTimeout() {
        fired.push("again");
        timers.stop(stopped);
        if (fired.length < 3) timers.start(again, 10);
      },
    });
    timers.start(again, 500);
    timers.start(again, 10);
    for (let now = 0; now < 1000; now += 10) timers.advance(now);
    assert.deepEqual(fired, ["again", "again", "again"]);
    assert.ok(!stopped.running);
  });

  it("that are due together can stop each other", () => {
    const fired: string[] = [];
    const timers = new Timers(0);
    const second = named(fired, "second");
    const first = new Timer({ onTimeout: () => timers.stop(second) });
    timers.start(first, 10);
    timers.start(second, 10);
    timers.advance(1000);
    assert.deepEqual(fired, []);
  });

  it("tell how long nothing will be due", () => {
    const timers = new Timers(0);
    assert.equal(timers.wait(250), 250);
    timers.start(named([], "a"), 100);
    const wait = timers.wait(250);
    assert.ok(wait >= 100 && wait <= 100 + TICK_MS, `${wait} ms`);
    assert.equal(timers.wait(5), 5);
  });

  it("fire in any order of starts, stops and steps exactly when they should", () => {
    const step = fc.record({
      timer: fc.nat(9),
      delay: fc.option(fc.nat(20_000)),
      ahead: fc.nat(3000),
    });
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let now = 0;
      const timers = new Timers(now);
      const deadlines = new Map<number, number>();
      const all = Array.from({ length: 10 }, (_, i) =>
        new Timer({
          onTimeout() {
            assert.ok(deadlines.get(i)! <= now, "early");
            deadlines.delete(i);
          },
        }));
      for (const { timer, delay, ahead } of steps) {
        if (delay === null) {
          timers.stop(all[timer]!);
          deadlines.delete(timer);
        } else {
          timers.start(all[timer]!, delay);
          deadlines.set(timer, now + delay);
        }
        now += ahead;
        timers.advance(now);
        for (const deadline of deadlines.values()) assert.ok(deadline > now - TICK_MS, "late");
      }
    }));
  });
});
