import { describe, it } from "node:test";
import { cycle, fuzz } from "./_long.ts";

describe("random sequences of operations on mappings", () => {
  it("end no process: 200", { timeout: 170_000 }, () => fuzz(200, 150_000));
});

describe("mapping and unmapping again and again", () => {
  it("grows nothing: 1,000", { timeout: 170_000 }, () => cycle(1000, 150_000));
});
