import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { runChild } from "../_kit/child.ts";
import type { Outcome } from "./_fixtures/matrix.ts";
import { CONTENT } from "./_fixtures/matrix_ends.ts";

const LENGTH = 5000;

/** Sources that cannot be read, and what they answer before the target is looked at. */
const UNREADABLE: Record<string, string> = {
  "write-only file": "EBADF",
  "O_PATH file": "EBADF",
  "write end of a pipe": "EBADF",
  "eventfd": "EINVAL",
  "epoll set": "EINVAL",
  "folder": "EISDIR",
  "closed": "EBADF",
};

/** Targets that cannot be written to. */
const UNWRITABLE: Record<string, string> = {
  "read-only file": "EBADF",
  "O_PATH file": "EBADF",
  "read end of a pipe": "EBADF",
  "eventfd": "EINVAL",
  "epoll set": "EINVAL",
  "folder": "EBADF",
  "procfs file": "EBADF",
  "closed": "EBADF",
};

/** Targets that are open for writing and take no byte. */
const FULL: Record<string, string> = { "sealed memfd": "EPERM", "/dev/full": "ENOSPC" };

/** What a source delivers of the bytes that are asked for; `undefined` where that is not constant. */
function content(source: string): Uint8Array | undefined {
  if (/empty|null/.test(source)) return new Uint8Array(0);
  if (/zero|full/.test(source)) return new Uint8Array(LENGTH);
  return source === "procfs file" ? undefined : CONTENT.subarray(0, LENGTH);
}

async function matrix(method: string): Promise<Outcome[]> {
  const child = new URL("./_fixtures/matrix.ts", import.meta.url);
  const { code, signal, stdout, stderr } = await runChild(child, {
    args: [method],
    timeoutMs: 100_000,
  });
  const last = stderr.trimEnd().split("\n").at(-1);
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, `it ended at: ${last}`);
  return JSON.parse(stdout);
}

describe("transfer() between every two kinds of descriptors", () => {
  let outcomes: Outcome[] = [];
  before(async () => void (outcomes = await matrix("auto")));

  it("ends, with success or a typed error", () => {
    assert.equal(outcomes.length, 26 * 26 + 26);
    for (const { source, target, error } of outcomes) {
      if (error === null) continue;
      assert.ok(
        error.name === "SyscallError" || (source === "terminal" && error.name === "AbortError"),
        `${source} to ${target}: ${error.name} ${error.code}`,
      );
    }
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
