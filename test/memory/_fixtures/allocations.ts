/**
 * Takes aligned memory and releases it, `allocations.ts COUNT`, and prints what has grown since the
 * first fifth of that.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { AlignedBuffer } from "../../../src/mod.ts";

const { gc, Bun } = globalThis as unknown as { gc?: () => void; Bun?: { gc(force: true): void } };

interface State {
  /** Resident, with what the runtime keeps for its own next use. */
  readonly resident: number;
  /** In use on the heap of JavaScript, and what its objects hold elsewhere. */
  readonly held: number;
  /** Of the heap of C, as far as it lies where it began. */
  readonly native: number;
  readonly reserved: number;
}

async function state(): Promise<State> {
  for (let i = 0; i < 5; i++) {
    if (Bun === undefined) gc!();
    else Bun.gc(true);
    // Finalizers run in a later turn.
    await sleep(20);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  const native = /\[heap\]\nSize:.*\n(?:.*\n)*?Rss: +(\d+) kB/.exec(
    readFileSync("/proc/self/smaps", "utf8"),
  );
  return {
    resident: rss,
    held: heapUsed + external,
    native: Number(native?.[1] ?? 0) * 1024,
    reserved: AlignedBuffer.reserved,
  };
}

async function allocate(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const buffer = AlignedBuffer.allocate(1 + i % 65_536);
    buffer.bytes[0] = i;
    buffer.release();
    if (i % 10_000 === 0) await sleep(0);
  }
}

const count = Number(process.argv[2]);
await allocate(count / 5);
const before = await state();
await allocate(count);
const after = await state();
console.log(JSON.stringify({
  resident: after.resident - before.resident,
  held: after.held - before.held,
  native: after.native - before.native,
  reserved: after.reserved - before.reserved,
}));
process.exit(0);
