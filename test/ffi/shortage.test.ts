import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import process from "node:process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { commandLine } from "../_kit/child.ts";

const PROGRAM = new URL("./_fixtures/shortage.ts", import.meta.url);

describe("a backend that could not be loaded for want of descriptors", () => {
  it("is loaded the next time", { timeout: 100_000 }, async () => {
    const words = commandLine(PROGRAM, []).map((word) => `'${word}'`).join(" ");
    const { stdout } = await promisify(execFile)("sh", ["-c", `ulimit -n 100; exec ${words}`], {
      env: process.env,
    });
    assert.match(stdout, /then allocated\n$/);
  });
});
