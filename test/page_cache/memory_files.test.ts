import assert from "node:assert/strict";
import { statfsSync } from "node:fs";
import { describe, it } from "node:test";
import { FileSystem } from "../../src/sys/file/statx.ts";
import { runChild } from "../_kit/child.ts";

const PROGRAM = new URL("../move/_fixtures/memory_files.ts", import.meta.url);

function noMemory(): string | false {
  try {
    return statfsSync("/dev/shm").type === FileSystem.TMPFS ? false : "/dev/shm is no tmpfs";
  } catch {
    return "there is no /dev/shm";
  }
}

describe("a file that is memory", () => {
  it("is sent, copied and served without a thread that reads", {
    skip: noMemory(),
    timeout: 100_000,
  }, async () => {
    const { code, stdout, stderr } = await runChild(PROGRAM);
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), {
      sendFile: 0,
      transfer: 0,
      copyFile: 0,
      broadcast: 0,
      serveStatic: 0,
      bringIn: 1,
    });
  });
});
