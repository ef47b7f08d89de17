import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { breakOff, WAYS } from "../_kit/aborts.ts";

describe("300 downloads that are broken off", () => {
  for (const way of Object.keys(WAYS)) {
    it(`leave nothing behind: ${way}`, async () => {
      const { sent } = await breakOff(300, way);
      assert.ok(sent > 0);
    });
  }
});
