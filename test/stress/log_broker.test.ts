import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { killRounds, NO_KCAT } from "../examples/_kafka.ts";

const ROUNDS = 200;

describe("log broker", { skip: NO_KCAT }, () => {
  it(`loses and repeats nothing in ${ROUNDS} kills`, { timeout: 900_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    try {
      const { found, sent } = await killRounds(folder, ROUNDS);
      assert.deepEqual(found, sent);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
