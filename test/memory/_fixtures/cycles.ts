/**
 * Maps a file, shows it, closes it, `cycles.ts COUNT`, and prints what has grown. Then waits for as long
 * as addresses stay taken at least, goes on, and prints how many ranges waited before and afterwards.
 *
 * @module
 */

import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { waiting } from "../../../src/memory/mapping/region_quarantine.ts";
import { MappedFile, MappedMemory } from "../../../src/mod.ts";

const { gc, Bun } = globalThis as unknown as { gc?: () => void; Bun?: { gc(force: true): void } };
const collect = (): void => Bun === undefined ? gc!() : Bun.gc(true);
const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const path = join(folder, "file");
writeFileSync(path, new Uint8Array(100_000).fill(1));

function link(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

function state(): { memory: number; mappings: number; descriptors: number } {
  collect();
  return {
    memory: process.memoryUsage.rss(),
    mappings: readFileSync("/proc/self/maps", "utf8").split("\n").length,
    // Of ours: runtimes open some when they first wait.
    descriptors:
      readdirSync("/proc/self/fd").map(link).filter((l) => /memfd:|sluice-/.test(l)).length,
  };
}

async function cycles(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const map = i % 3 === 0
      ? MappedMemory.allocate(100_000)
      : MappedFile.open(path, { access: i % 2 === 0 ? "read" : "write" });
    map.bytes[i % 100_000] = i;
    map.view(5, 10);
    map.close();
    if (i % 250 === 0) {
      collect();
      await sleep(1);
    }
  }
}

await cycles(500);
const before = state();
await cycles(Number(process.argv[2]));
const after = state();
const crowd = waiting().ranges;
await sleep(10_500);
await cycles(Math.ceil(crowd / 6));
console.log(JSON.stringify({
  memory: after.memory - before.memory,
  mappings: after.mappings - before.mappings,
  descriptors: after.descriptors - before.descriptors,
  crowd,
  left: waiting().ranges,
}));
rmSync(folder, { recursive: true });
process.exit(0);
