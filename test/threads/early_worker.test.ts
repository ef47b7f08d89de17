import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { runChild } from "../_kit/child.ts";

const PROGRAM = new URL("./_fixtures/early.ts", import.meta.url);

describe("a Worker that is started early", () => {
  let folder = "";
  before(() => folder = mkdtempSync(join(tmpdir(), "sluice-")));
  after(() => rmSync(folder, { recursive: true }));

  const serve = (threads: number, env: Record<string, string> = {}) =>
    runChild(PROGRAM, {
      args: ["serve", String(threads), folder],
      env: { NODE_DEBUG: "sluice", ...env },
    });

  it("gets the work of the first host, and no other", async () => {
    for (const threads of [1, 3]) {
      const { code, stdout, stderr } = await serve(threads);
      assert.deepEqual([code, stdout], [0, "200 content\n"], stderr);
      const lines = stderr.split("\n").filter((line) => /Worker "sluice server\b/.test(line));
      const count = (pattern: RegExp) => lines.filter((line) => pattern.test(line)).length;
      assert.equal(count(/started early$/), 1, stderr);
      assert.equal(count(/gets its work$/), 1, stderr);
      assert.equal(count(/started from /), threads, stderr);
      assert.equal(count(/has ended$/), threads, stderr);
    }
  });

  it("that has failed is replaced by one whose failure is told, with the remedy", async () => {
    const broken = join(folder, "broken.mjs");
    writeFileSync(broken, 'throw new Error("broken on purpose");');
    for (const SLUICE_WORKER of [broken, "/missing/worker.js"]) {
      const { code, stdout, stderr } = await serve(1, { SLUICE_WORKER });
      assert.deepEqual([code, stdout], [0, "200 content\n"], stderr);
      assert.match(stderr, /SLUICE_WORKER_MISSING.*sluice\/worker/);
    }
  });

  it("does not load koffi before: a process that ends meanwhile would be aborted", async () => {
    for (const ms of [100, 500, 1500]) {
      const { stdout } = await runChild(PROGRAM, { args: ["none", String(ms)] });
      assert.equal(stdout, "false\n", `after ${ms} ms`);
    }
  });

  for (const [how, wanted] of [["exit", 7], ["busy", 7], ["throw", 1], ["none", 0]] as const) {
    it(`lets the process end at any time: ${how}`, async () => {
      for (const ms of [0, 3, 10, 25, 60, 120]) {
        const { code, signal, stderr } = await runChild(PROGRAM, { args: [how, String(ms)] });
        assert.deepEqual([code, signal], [wanted, null], `after ${ms} ms: ${stderr}`);
      }
    });
  }
});
