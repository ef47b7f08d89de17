import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { breakOff, WAYS } from "../_kit/aborts.ts";

describe("10,000 downloads that are broken off", () => {
  for (const way of Object.keys(WAYS)) {
    it(`leave nothing behind: ${way}`, { timeout: 1_200_000 }, async () => {
      const { sent } = await breakOff(10_000, way);
      assert.ok(sent > 0);
    });
  }
});
