import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IoRequest } from "../../../src/threads/io_queue/types.ts";
import { IN_FLIGHT, Slots } from "../../../src/threads/io_queue/slots.ts";

const REQUEST: IoRequest = {
  op: 0,
  fd: 0,
  region: null,
  at: 0,
  length: 0,
  offset: 0,
  flags: 0,
};

const nothing = (): void => {};

describe("Slots", () => {
  it("gives each operation its own slot, until there is none", () => {
    const slots = new Slots();
    const taken = Array.from({ length: IN_FLIGHT }, () => slots.take(nothing));
    assert.equal(new Set(taken).size, IN_FLIGHT);
    assert.equal(slots.take(nothing), -1);
    assert.equal(slots.running, IN_FLIGHT);
  });

  it("knows a ticket only while its operation runs", () => {
    const slots = new Slots();
    const slot = slots.take(nothing);
    const ticket = slots.ticketOf(slot);
    assert.equal(slots.slotOf(ticket), slot);
    slots.finish(slot, 0);
    assert.equal(slots.slotOf(ticket), -1);
    const again = slots.take(nothing);
    assert.equal(again, slot);
    assert.equal(slots.slotOf(ticket), -1);
    assert.notEqual(slots.ticketOf(again), ticket);
  });

  it("reports a result once, and frees the slot first", () => {
    const slots = new Slots();
    const results: number[] = [];
    const slot = slots.take((result) => {
      assert.equal(slots.running, 0);
      results.push(result);
    });
    slots.finish(slot, 5);
    slots.finish(slot, 6);
    assert.deepEqual(results, [5]);
  });

  it("lets the others wait in line, and keeps their tickets", () => {
    const slots = new Slots();
    const running = Array.from({ length: IN_FLIGHT }, () => slots.take(nothing));
    const results: string[] = [];
    const first = slots.wait(REQUEST, (result) => results.push(`first ${result}`));
    const second = slots.wait(REQUEST, (result) => results.push(`second ${result}`));
    assert.notEqual(first, second);
    assert.equal(slots.slotOf(first), -1);
    assert.equal(slots.size, IN_FLIGHT + 2);
    const started: number[] = [];
    slots.finish(running[3]!, 0);
    slots.promote((slot) => started.push(slot));
    assert.deepEqual(started, [running[3]]);
    assert.equal(slots.slotOf(first), running[3]);
    assert.equal(slots.slotOf(second), -1);
    slots.finish(running[3]!, 1);
    assert.equal(slots.slotOf(first), -1);
    slots.promote((slot) => slots.finish(slot, 2));
    assert.deepEqual(results, ["first 1", "second 2"]);
    assert.equal(slots.slotOf(second), -1);
  });

  it("takes one that waits out of the line", () => {
    const slots = new Slots();
    for (let i = 0; i < IN_FLIGHT; i++) slots.take(nothing);
    const ticket = slots.wait(REQUEST, nothing);
    assert.equal(slots.withdraw(ticket), nothing);
    assert.equal(slots.withdraw(ticket), undefined);
    assert.equal(slots.size, IN_FLIGHT);
  });

  it("gives up everything at once", () => {
    const slots = new Slots();
    const slot = slots.take(nothing);
    const ticket = slots.ticketOf(slot);
    assert.equal(slots.clear().length, 1);
    assert.equal(slots.slotOf(ticket), -1);
    assert.equal(slots.size, 0);
  });
});
