import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { runChild } from "../../_kit/child.ts";
import type { Outcome } from "../_fixtures/matrix.ts";
import { content, FULL, UNREADABLE, UNWRITABLE } from "../_fixtures/matrix_expected.ts";

async function matrix(method: string): Promise<Outcome[]> {
  return await outcomesOf("matrix.ts", method);
}

async function outcomesOf(program: string, method: string): Promise<Outcome[]> {
  const child = new URL(`../_fixtures/${program}`, import.meta.url);
  const { code, signal, stdout, stderr } = await runChild(child, {
    args: [method],
    timeoutMs: 100_000,
  });
  const last = stderr.trimEnd().split("\n").at(-1);
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, `it ended at: ${last}`);
  return JSON.parse(stdout);
}

/** A terminal without input has no end, so its transfers are aborted. */
function assertTyped(outcomes: readonly Outcome[]): void {
  for (const { source, target, error } of outcomes) {
    if (error === null) continue;
    assert.ok(
      error.name === "SyscallError" || (source === "terminal" && error.name === "AbortError"),
      `${source} to ${target}: ${error.name} ${error.code}`,
    );
  }
}

describe("transfer() between every two kinds of descriptors", () => {
  let outcomes: Outcome[] = [];
  before(async () => void (outcomes = await matrix("auto")));

  it("ends, with success or a typed error", () => {
    assert.equal(outcomes.length, 26 * 26 + 26);
    assertTyped(outcomes);
  });

  it("refuses what cannot be read or written", () => {
    for (const { source, target, error, bytes } of outcomes) {
      const expected = UNREADABLE[source] ?? UNWRITABLE[target];
      if (expected === undefined) continue;
      assert.equal(error?.code, expected, `${source} to ${target}`);
      assert.equal(bytes, 0);
    }
  });

  it("says what a full target says", () => {
    for (const { source, target, error } of outcomes) {
      const expected = FULL[target];
      if (expected === undefined || source in UNREADABLE || /terminal|listen/.test(source)) {
        continue;
      }
      // Where there is nothing to move, nothing is asked.
      const code = content(source)?.length === 0 ? undefined : expected;
      assert.equal(error?.code, code, `${source} to ${target}`);
    }
  });

  it("moves the bytes between all others", () => {
    let checked = 0;
    for (const { source, target, error, bytes, arrived } of outcomes) {
      if (source in UNREADABLE || target in UNWRITABLE || target in FULL) continue;
      if (/terminal|listen/.test(source + target)) continue;
      const name = `${source} to ${target}`;
      assert.equal(error, null, name);
      const expected = content(source);
      if (expected === undefined) {
        assert.ok(bytes > 0, name);
        continue;
      }
      assert.equal(bytes, expected.length, name);
      if (arrived === null) continue;
      const got = Buffer.from(arrived, "base64").subarray(0, bytes);
      assert.ok(got.equals(expected), name);
      checked++;
    }
    assert.ok(checked > 150, `${checked} were checked`);
  });

  for (const method of ["range", "sendfile", "splice", "copy"]) {
    it(`ends with method "${method}", and uses no other`, async () => {
      for (const { source, target, method: used, error } of await matrix(method)) {
        const name = `${source} to ${target}`;
        if (error === null) assert.ok(used === method || used === "none", `${name}: ${used}`);
        else {assert.match(
            error.name,
            /^(Syscall|Unsupported|Abort)Error$/,
            `${name}: ${error.code}`,
          );}
      }
    });
  }
});

describe("transfer() to and from the sockets and responses of the runtime", () => {
  let outcomes: Outcome[] = [];
  before(async () => void (outcomes = await outcomesOf("matrix_runtime.ts", "auto")));

  it("ends, with success or a typed error", () => {
    assert.ok(outcomes.length > 250, `${outcomes.length} were tried`);
    assertTyped(outcomes);
  });

  it("refuses what cannot be read or written", () => {
    for (const { source, target, error } of outcomes) {
      const expected = UNREADABLE[source] ?? UNWRITABLE[target] ?? FULL[target];
      if (expected !== undefined) assert.equal(error?.code, expected, `${source} to ${target}`);
    }
  });

  it("moves the bytes between all others", () => {
    for (const { source, target, error, bytes, arrived } of outcomes) {
      if (source in UNREADABLE || target in UNWRITABLE || target in FULL) continue;
      if (/terminal|listen/.test(source) || /terminal|listening/.test(target)) continue;
      const name = `${source} to ${target}`;
      assert.equal(error, null, name);
      const expected = content(source);
      if (expected === undefined) assert.ok(bytes > 0, name);
      else {
        assert.equal(bytes, expected.length, name);
        if (arrived === null) continue;
        const got = Buffer.from(arrived, "base64").subarray(0, bytes);
        assert.ok(got.equals(expected), name);
      }
    }
  });
});
