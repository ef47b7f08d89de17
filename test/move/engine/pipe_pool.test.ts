import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  BUDGET,
  closeIdlePipes,
  givePipe,
  IDLE_MS,
  PIPE_BYTES,
  pipePool,
  takePipe,
} from "../../../src/move/engine/pipe_pool.ts";
import * as sys from "../../../src/sys/mod.ts";
import { runChild } from "../../_kit/child.ts";
import { openFds } from "../../_kit/fds.ts";
import { pattern } from "../../_kit/temp.ts";

describe("the pool of pipes", () => {
  it("gives an empty pipe that comes back out again", () => {
    const pipe = takePipe()!;
    assert.equal(pipe.capacity, PIPE_BYTES);
    givePipe(pipe);
    assert.equal(takePipe(), pipe);
    givePipe(pipe);
    closeIdlePipes();
    assert.deepEqual(pipePool(), { idle: 0, bytes: 0 });
  });

  it("keeps no pipe that holds bytes, and none that is closed", () => {
    const before = openFds();
    const full = takePipe()!;
    sys.write(full.writeFd, pattern(1));
    givePipe(full);
    assert.equal(full.closed, true);
    const half = takePipe()!;
    half.closeWrite();
    givePipe(half);
    assert.equal(half.closed, true);
    assert.deepEqual(pipePool(), { idle: 0, bytes: 0 });
    assert.equal(openFds(), before);
  });

  it("makes small pipes once its budget is spent, and keeps few and none of those", () => {
    const before = openFds();
    const many = BUDGET / PIPE_BYTES + 3;
    const pipes = Array.from({ length: many }, () => takePipe()!);
    assert.ok(pipes.slice(0, -3).every((pipe) => pipe.capacity === PIPE_BYTES));
    assert.ok(pipes.slice(-3).every((pipe) => pipe.capacity < PIPE_BYTES));
    for (const pipe of pipes.reverse()) givePipe(pipe);
    assert.ok(pipePool().idle <= 4);
    closeIdlePipes();
    assert.deepEqual(pipePool(), { idle: 0, bytes: 0 });
    assert.equal(openFds(), before);
  });

  it("closes what it keeps after a while", async () => {
    const pipe = takePipe()!;
    givePipe(pipe);
    assert.equal(pipe.closed, false);
    for (let waited = 0; !pipe.closed && waited < 20 * IDLE_MS; waited += 50) await sleep(50);
    assert.equal(pipe.closed, true);
    assert.deepEqual(pipePool(), { idle: 0, bytes: 0 });
  });

  it("keeps no process alive", async () => {
    const child = new URL("../_fixtures/idle_pool.ts", import.meta.url);
    const { stdout, endedAt, code } = await runChild(child, { timeoutMs: 30_000 });
    assert.equal(code, 0);
    assert.ok(endedAt - Number(stdout) < IDLE_MS, `${endedAt - Number(stdout)} ms`);
  });
});
