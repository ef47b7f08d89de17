/** Tests that run for as long as they are told to. @module */

import assert from "node:assert/strict";
import { runtime } from "../../ffi/mod.ts";
import { runChild } from "../_kit/child.ts";

const FUZZ = new URL("./_fixtures/fuzz.ts", import.meta.url);
const CYCLES = new URL("./_fixtures/cycles.ts", import.meta.url);
const ALLOCATIONS = new URL("./_fixtures/allocations.ts", import.meta.url);
const MIB = 2 ** 20;
const GC: Record<string, string[]> = {
  node: ["--expose-gc"],
  deno: ["--v8-flags=--expose-gc", "-A"],
  bun: [],
};
const flags = GC[runtime().name]!;

/** Runs random sequences in a process of their own. */
export async function fuzz(sequences: number, timeoutMs: number): Promise<void> {
  const result = await runChild(FUZZ, { flags, args: [String(sequences)], timeoutMs });
  assert.deepEqual([result.signal, result.code], [null, 0], result.stdout + result.stderr);
  assert.match(result.stdout, new RegExp(`survived ${sequences}\n`));
}

/** Maps, shows, closes and forgets, and looks at what the process has grown by. */
export async function cycle(count: number, timeoutMs: number): Promise<void> {
  const result = await runChild(CYCLES, { flags, args: [String(count)], timeoutMs });
  assert.deepEqual([result.signal, result.code], [null, 0], result.stdout + result.stderr);
  const { memory, mappings, descriptors, crowd, left } = JSON.parse(result.stdout);
  assert.ok(memory < 48 * MIB, `memory grew by ${memory} bytes`);
  assert.ok(mappings < 600, `${mappings} mappings more`);
  assert.equal(descriptors, 0);
  assert.ok(crowd > 256 && left < crowd / 2, `${crowd} ranges waited, and ${left} still do`);
}

/**
 * Takes and releases aligned memory, and looks at what the process has grown by.
 *
 * What is resident says little by itself: V8 keeps pages that it has emptied, and its young generation
 * grows for as long as objects die young. On Node.js that adds up to 100 MiB, and ends after about four
 * million allocations (measured up to eight million). So what is held once garbage is collected must
 * not grow, and neither must the heap of C; of what is resident, only so much that a few dozen bytes of
 * each allocation would show.
 */
export async function allocate(count: number, timeoutMs: number): Promise<void> {
  const result = await runChild(ALLOCATIONS, { flags, args: [String(count)], timeoutMs });
  assert.deepEqual([result.signal, result.code], [null, 0], result.stdout + result.stderr);
  const { resident, held, native, reserved } = JSON.parse(result.stdout);
  assert.equal(reserved, 0);
  assert.ok(held < 4 * MIB, `${held} bytes more are held: ${result.stdout}`);
  assert.ok(native < 8 * MIB, `${native} bytes more on the heap of C: ${result.stdout}`);
  assert.ok(resident < 64 * MIB, `${resident} bytes more are resident: ${result.stdout}`);
}
