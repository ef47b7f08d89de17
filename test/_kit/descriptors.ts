/** Counting descriptors. @module */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** How many descriptors this process has open. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Waits until no more than `count` are open: the runtimes close theirs a little later. */
export async function assertDescriptors(count: number): Promise<void> {
  for (let i = 0; i < 100 && openDescriptors() > count; i++) await sleep(20);
  assert.ok(openDescriptors() <= count, `${openDescriptors()} descriptors open, before: ${count}`);
}
