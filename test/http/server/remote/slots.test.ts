import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newSlots, SLOTS, Slots } from "../../../../src/http/server/remote/slots.ts";

const usable = () => true;

describe("the threads for files of other machines", () => {
  it("are two for each mount at most, which all threads of a server count", () => {
    const words = newSlots();
    const [one, other] = [new Slots(words), new Slots(words)];
    const taken = [one, other, one, other].map((slots) => slots.take("a", usable));
    assert.equal(new Set(taken).size, 2);
    assert.ok(!taken.includes(one.take("b", usable)));
  });

  it("are used again before further ones are started", () => {
    const slots = new Slots(newSlots());
    const first = slots.take("a", usable);
    slots.leave(first);
    assert.equal(slots.take("a", usable), first);
    slots.leave(first);
    assert.equal(slots.take("b", usable), first);
  });

  it("are shared when all have work, without those that have ended", () => {
    const slots = new Slots(newSlots());
    const busy = Array.from({ length: SLOTS }, (_, mount) => slots.take(`${mount}`, usable));
    assert.equal(new Set(busy).size, SLOTS);
    assert.ok(busy.includes(slots.take("another", usable)));
    assert.equal(slots.take("a", () => false), -1);
    assert.equal(slots.takeFrom("3", [busy[2]!, busy[3]!]), busy[3]);
    assert.equal(slots.takeFrom("3", []), -1);
  });
});
