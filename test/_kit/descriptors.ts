/** Counts descriptors. @module */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Number of descriptors that this process has open. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Waits until at most `count` are open: the runtimes close theirs with a delay. */
export async function assertDescriptors(count: number): Promise<void> {
  for (let i = 0; i < 100 && openDescriptors() > count; i++) await sleep(20);
  assert.ok(openDescriptors() <= count, `${openDescriptors()} descriptors open, before: ${count}`);
}
