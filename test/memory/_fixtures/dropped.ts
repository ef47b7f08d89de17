/** Drops mappings in the way that the argument names, and collects garbage. @module */

import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { MappedFile, MappedMemory } from "../../../src/mod.ts";

const { gc, Bun } = globalThis as unknown as { gc?: () => void; Bun?: { gc(force: true): void } };
const collect = (): void => Bun === undefined ? gc!() : Bun.gc(true);
const way = process.argv[2];

let kept: Uint8Array | undefined;

function use(): void {
  for (let i = 0; i < 20; i++) {
    const map = i % 2 === 0 ? MappedFile.open(process.execPath) : MappedMemory.allocate(4096);
    const bytes = map.view(0, 4096);
    if (way === "close") map.close();
    if (way === "keep") map.close();
    void bytes;
  }
  if (way === "keep") {
    const memory = MappedMemory.allocate(4096);
    memory.bytes.fill(65);
    kept = memory.view(5, 10);
  }
}

use();
for (let i = 0; i < 20; i++) {
  collect();
  await sleep(20);
}
if (kept !== undefined) console.log("still", kept[3]);
