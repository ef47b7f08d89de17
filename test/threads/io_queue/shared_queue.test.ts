import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Operation,
  SharedQueue,
  sharedQueueMemory,
} from "../../../src/threads/io_queue/shared_queue.ts";
import { IN_FLIGHT } from "../../../src/threads/io_queue/slots.ts";

const note = (slot: number): Operation => ({
  slot,
  op: 1,
  fd: 3,
  address: 2 ** 47 - 4096,
  length: 2 ** 31 - 4096,
  offset: 2 ** 53 - 1,
  flags: 0x80,
});

describe("Board", () => {
  it("hands out notes as they were pinned, each once, in their order", () => {
    const memory = sharedQueueMemory();
    const pinning = new SharedQueue(memory);
    const workers = [new SharedQueue(memory), new SharedQueue(memory)];
    // Round and round, past the end of the queue.
    for (let round = 0; round < 5; round++) {
      for (let slot = 0; slot < IN_FLIGHT; slot++) pinning.pin(note(slot));
      assert.equal(pinning.waiting, IN_FLIGHT);
      for (let slot = 0; slot < IN_FLIGHT; slot++) {
        const taken = note(-1);
        assert.ok(workers[slot % 2]!.take(taken));
        assert.deepEqual(taken, note(slot));
        assert.ok(workers[slot % 2]!.begin(slot));
      }
      assert.equal(workers[0]!.take(note(-1)), false);
    }
  });

  it("cancels what nobody has begun", () => {
    const board = new SharedQueue(sharedQueueMemory());
    for (const slot of [0, 1]) board.pin(note(slot));
    board.cancel(0);
    assert.equal(board.begin(0), false);
    assert.equal(board.begin(1), true);
    board.cancel(1);
    board.pin(note(0));
    assert.equal(board.begin(0), true);
  });

  it("wakes once for all results that nobody has collected", () => {
    const memory = sharedQueueMemory();
    const [pinning, worker] = [new SharedQueue(memory), new SharedQueue(memory)];
    const collected: [number, number][] = [];
    const collect = () => pinning.collect((slot, result) => collected.push([slot, result]));
    for (let round = 0; round < 3 * IN_FLIGHT; round++) {
      assert.equal(worker.finish(round % 7, -round), 1);
      if (round % 2 === 0) assert.equal(worker.tell(), true);
      assert.equal(worker.finish(200, 2 ** 31), 1 + round % 2);
      assert.equal(worker.tell(), round % 2 === 1);
      collect();
      assert.deepEqual(collected.splice(0), [[round % 7, -round], [200, 2 ** 31]]);
    }
    collect();
    assert.deepEqual(collected, []);
  });

  it("rouses each thread that sleeps once", () => {
    const board = new SharedQueue(sharedQueueMemory());
    assert.equal(board.rouse(4), -1);
    board.sleep(2, true);
    assert.equal(board.rouse(2), -1);
    assert.equal(board.rouse(4), 2);
    assert.equal(board.rouse(4), -1);
  });
});
