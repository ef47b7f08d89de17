import { describe, it } from "node:test";
import { cycle, fuzz } from "../memory/_long.ts";

describe("random sequences of operations on mappings", () => {
  it("end no process: 10,000", { timeout: 1_200_000 }, () => fuzz(10_000, 1_100_000));
});

describe("mapping and unmapping again and again", () => {
  it("grows nothing: 20,000", { timeout: 1_200_000 }, () => cycle(20_000, 1_100_000));
});
