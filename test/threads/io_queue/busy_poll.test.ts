import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BusyPollPolicy } from "../../../src/threads/io_queue/busy_poll.ts";

const MANY = 32;

let nowMs = 1;
const clock = () => nowMs;

describe("Patience", () => {
  it("does not last before a wait was short", () => {
    const patience = new BusyPollPolicy(clock);
    assert.equal(patience.lasts(MANY), false);
    patience.reward();
    assert.equal(patience.lasts(MANY), true);
  });

  it("does not last for a few operations", () => {
    const patience = new BusyPollPolicy(clock);
    patience.lasts(MANY);
    patience.reward();
    assert.equal(patience.lasts(7), false);
    assert.equal(patience.lasts(8), true);
  });

  it("ends when a wait gets long, until one was short again", () => {
    const patience = new BusyPollPolicy(clock);
    patience.lasts(MANY);
    patience.reward();
    assert.equal(patience.lasts(MANY), true);
    nowMs += 10;
    assert.equal(patience.lasts(MANY), false);
    patience.reward();
    assert.equal(patience.lasts(MANY), false);
    patience.reward();
    assert.equal(patience.lasts(MANY), true);
  });
});
