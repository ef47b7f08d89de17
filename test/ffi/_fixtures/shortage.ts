/**
 * Takes all descriptors, makes the first foreign call, gives them back and makes another. Prints how both
 * went.
 *
 * @module
 */

import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { AlignedBuffer } from "../../../src/mod.ts";

function allocate(): string {
  try {
    AlignedBuffer.allocate(1).release();
    return "allocated";
  } catch (error) {
    return String(error);
  }
}

const taken: number[] = [];
try {
  for (;;) taken.push(openSync("/dev/null", "r"));
} catch {
  // There are no more.
}
const first = allocate();
for (const fd of taken) closeSync(fd);
// Don't print earlier: some runtimes open a descriptor for their output.
console.log(`first ${first}, then ${allocate()}`);
process.exit(0);
