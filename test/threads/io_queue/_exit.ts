/** Programs that end with operations on files in flight. @module */

import assert from "node:assert/strict";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type ChildResult, runChild } from "../../_kit/child.ts";

const PROGRAM = new URL("./_fixtures/program.ts", import.meta.url);

/** From the trigger to the end of the process. */
const LIMIT_MS = 500;

/** On a machine with its hands full a process ends late now and then; one that hangs, every time. */
const TRIES = 4;

const folder = mkdtempSync(join(tmpdir(), "sluice-exit-"));
const path = join(folder, "file");
const fd = openSync(path, "w");
ftruncateSync(fd, 8 * 1024 * 1024);
closeSync(fd);
after(() => rmSync(folder, { recursive: true }));

/** Runs the program until it ends in time. Output and exit code must be right every time. */
async function assertEnds(
  code: number | null,
  run: () => Promise<ChildResult & { sent?: number }>,
): Promise<ChildResult> {
  const delays: number[] = [];
  for (;;) {
    const result = await run();
    const { stdout, stderr, endedAt } = result;
    const trigger = result.sent ?? /trigger (\d+)/.exec(stdout)?.[1];
    assert.ok(trigger !== undefined, `no trigger in ${JSON.stringify(stdout)}; ${stderr}`);
    const signal = code === null ? "SIGTERM" : null;
    assert.deepEqual([result.code, result.signal], [code, signal], stderr);
    delays.push(endedAt - Number(trigger));
    if (delays.at(-1)! < LIMIT_MS) return result;
    assert.ok(delays.length < TRIES, `ended ${delays} ms after the trigger`);
  }
}

/** The tests, on one engine. */
export function exitSuite(engine: "ring" | "threads"): void {
  const env = { SLUICE_RING: engine === "ring" ? "" : "off" };
  const run = (...args: string[]) => runChild(PROGRAM, { args: [path, ...args], env });

  describe(`a program with operations on files, by ${engine}`, () => {
    for (const state of ["idle", "pending"]) {
      it(`ends at process.exit() with its code, ${state}`, async () => {
        await assertEnds(7, () => run(state, "exit"));
      });

      it(`ends at an uncaught throw, ${state}`, async () => {
        const { stderr } = await assertEnds(1, () => run(state, "throw"));
        assert.match(stderr, /thrown on purpose/);
      });

      it(`ends at SIGTERM, ${state}`, async () => {
        await assertEnds(null, async () => {
          let sent = 0;
          const args = [path, state, "stay"];
          const onOutput = (output: string, kill: (signal: NodeJS.Signals) => void) => {
            if (sent !== 0 || !output.includes("trigger")) return;
            sent = Date.now();
            kill("SIGTERM");
          };
          return { ...await runChild(PROGRAM, { args, env, onOutput }), sent };
        });
      });

      it(`ends when the user's Worker that has them is terminated, ${state}`, async () => {
        const { stdout } = await assertEnds(0, () => run(state, "terminate", "worker"));
        assert.match(stdout, /terminated/);
      });

      it(`ends when the user's Worker that has them calls process.exit(), ${state}`, async () => {
        await assertEnds(0, () => run(state, "exit", "worker"));
      });

      it(`ends when the user's Worker that has them throws, ${state}`, async () => {
        await assertEnds(1, () => run(state, "throw", "worker"));
      });
    }

    for (const place of ["main", "worker"]) {
      it(`ends when nothing is left to do, in the ${place} thread`, async () => {
        await assertEnds(0, () => run("idle", "none", place));
      });

      it(`goes on while operations are in flight, in the ${place} thread`, async () => {
        const result = await run("late", "none", place);
        assert.match(result.stdout, /resolved/, result.stderr);
        assert.equal(result.code, 0, result.stderr);
      });
    }
  });
}
