import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Interest } from "../../../src/http/server/connection/interest.ts";
import { EpollEvent } from "../../../src/sys/flags/event.ts";
import type { Loop } from "../../../src/threads/loop/loop.ts";

const { ERR, HUP, IN, OUT, RDHUP } = EpollEvent;

/** An interest, and what it has told the loop to watch for. */
function make(): { interest: Interest; told: number[] } {
  const told: number[] = [];
  const loop = { modify: (_fd: number, events: number) => told.push(events) };
  return { interest: new Interest(loop as unknown as Loop, 7), told };
}

describe("the events of a connection", () => {
  it("need one call for all forwarded requests, while the client waits for its answers", () => {
    const { interest, told } = make();
    for (let request = 0; request < 3; request++) {
      assert.equal(interest.filter(IN), IN);
      interest.watch(RDHUP);
      interest.watch(0);
      interest.watch(IN);
    }
    assert.deepEqual(told, [IN | RDHUP]);
  });

  it("are no longer watched once one arrives that is not waited for", () => {
    const { interest, told } = make();
    interest.watch(0);
    assert.deepEqual(told, []);
    assert.equal(interest.filter(IN), 0);
    assert.deepEqual(told, [0]);
    interest.watch(IN);
    assert.deepEqual(told, [0, IN]);
  });

  it("are hidden from a connection that waits for others", () => {
    const { interest } = make();
    interest.watch(RDHUP);
    assert.equal(interest.filter(IN | RDHUP), RDHUP);
    interest.watch(IN);
    assert.equal(interest.filter(IN | RDHUP), IN);
  });

  it("always contain errors", () => {
    const { interest, told } = make();
    interest.watch(0);
    assert.equal(interest.filter(IN | HUP), HUP);
    assert.equal(interest.filter(ERR), ERR);
    assert.deepEqual(told, []);
  });

  it("begin and cease to contain room at once", () => {
    const { interest, told } = make();
    interest.watch(OUT);
    interest.watch(IN);
    interest.watch(IN | OUT);
    assert.deepEqual(told, [OUT, IN, IN | OUT]);
  });
});
