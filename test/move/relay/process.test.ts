import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runtime } from "../../../ffi/mod.ts";
import { runChild } from "../../_kit/child.ts";

const PROGRAM = new URL("../_fixtures/relay_program.ts", import.meta.url);
const EMFILE = new URL("../_fixtures/relay_emfile.ts", import.meta.url);

describe("a program with a relay", () => {
  for (const how of ["unref", "unref before", "close", "dispose"]) {
    it(`ends by itself after ${how}`, async () => {
      const { code, signal, stderr, stdout } = await runChild(PROGRAM, {
        args: [how],
        timeoutMs: 30_000,
      });
      assert.deepEqual([code, signal, stdout], [0, null, "listening\n"], stderr);
    });
  }

  it("stays while it listens, until it is killed", async () => {
    let since = 0;
    const { endedAt, signal } = await runChild(PROGRAM, {
      timeoutMs: 30_000,
      onOutput(_, kill) {
        since = Date.now();
        setTimeout(() => kill("SIGTERM"), 1000);
      },
    });
    assert.equal(signal, "SIGTERM");
    assert.ok(endedAt - since >= 900);
  });

  it("ends at process.exit() and at an uncaught throw", async () => {
    assert.equal((await runChild(PROGRAM, { args: ["exit"], timeoutMs: 30_000 })).code, 3);
    const thrown = await runChild(PROGRAM, { args: ["throw"], timeoutMs: 30_000 });
    assert.equal(thrown.code, 1);
    assert.match(thrown.stderr, /thrown on purpose/);
  });
});

/** Its threads ask for one now and then, and take a refusal for impossible (2.9). */
const PANICS = runtime().name === "deno" && "Deno itself panics when no descriptor is left";

describe("a relay without descriptors", () => {
  const what = "copies what it cannot splice, refuses whom it cannot take, and recovers";
  it(what, { skip: PANICS }, async () => {
    const { code, stderr, stdout } = await runChild(EMFILE, { timeoutMs: 60_000 });
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), { copied: true, pipes: 1, refused: 1, after: true });
  });
});
