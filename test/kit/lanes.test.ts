/** Which tasks are done beside each other. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { ALONE, IN_TURN } from "../_kit/apart.ts";
import { inLanes } from "../_kit/lanes.ts";

interface Sample {
  readonly name: string;
  readonly turn?: string;
  readonly alone?: boolean;
}

/** Does the tasks; which others were under way while each was. */
async function neighbours(samples: Sample[], lanes: number): Promise<Map<string, Set<string>>> {
  const running = new Set<string>();
  const beside = new Map(samples.map(({ name }) => [name, new Set<string>()]));
  const rules = {
    lanes,
    turn: ({ turn }: Sample) => turn,
    alone: ({ alone }: Sample) => alone === true,
  };
  await inLanes(samples, rules, async ({ name }) => {
    for (const other of running) {
      beside.get(name)!.add(other);
      beside.get(other)!.add(name);
    }
    running.add(name);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running.delete(name);
  });
  return beside;
}

describe("inLanes()", () => {
  it("does as many at a time as there are lanes, and all of them once", async () => {
    const samples = Array.from({ length: 9 }, (_, i) => ({ name: String(i) }));
    const beside = await neighbours(samples, 3);
    assert.deepEqual([...beside.get("0")!].sort().slice(0, 2), ["1", "2"]);
    const single = await neighbours(samples, 1);
    assert.deepEqual([...single.values()].map(({ size }) => size), samples.map(() => 0));
  });

  it("does those of one turn one at a time, and others beside them", async () => {
    const samples = ["a1", "a2", "a3", "b1", "c"].map((name) =>
      name.length > 1 ? { name, turn: name[0]! } : { name }
    );
    const beside = await neighbours(samples, 3);
    for (const name of ["a1", "a2", "a3"]) {
      assert.ok([...beside.get(name)!].every((other) => !other.startsWith("a")), name);
    }
    assert.ok(beside.get("a1")!.has("b1"));
  });

  it("does more as long as the machine is idle, and not beside those that want to be alone", async () => {
    for (const idle of [true, false]) {
      let [running, most] = [0, 0];
      const tasks = [1, 2, 3, 4];
      const rules = { lanes: 1, spare: 2, idle: () => idle, turn: () => undefined };
      await inLanes(tasks, { ...rules, alone: (task) => task === 4 }, async (task) => {
        most = Math.max(most, ++running);
        if (task === 4) assert.equal(running, 1);
        await new Promise((resolve) => setTimeout(resolve, task === 4 ? 0 : idle ? 2500 : 1100));
        running--;
      });
      assert.equal(most, idle ? 3 : 1);
    }
  });

  it("does those that want to be alone after all others, one at a time", async () => {
    const samples = ["x", "alone1", "y", "alone2", "z"].map((name) => ({
      name,
      alone: name.startsWith("alone"),
    }));
    const beside = await neighbours(samples, 2);
    assert.deepEqual([beside.get("alone1")!.size, beside.get("alone2")!.size], [0, 0]);
    assert.ok(beside.get("x")!.has("y"));
  });

  it("ends with the error of a task", async () => {
    const rules = { lanes: 2, turn: () => undefined, alone: () => false };
    const failing = inLanes(
      [1, 2, 3],
      rules,
      (task) => task === 2 ? Promise.reject(new Error("the second")) : Promise.resolve(),
    );
    await assert.rejects(failing, /the second/);
  });
});

describe("the lists of files that are kept apart", () => {
  it("name files that exist, with a reason", () => {
    for (const { path, reason } of [...ALONE, ...IN_TURN]) {
      assert.ok(existsSync(new URL(`../../${path}`, import.meta.url)), path);
      assert.notEqual(reason, "");
    }
  });
});
