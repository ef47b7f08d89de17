/**
 * Times the calls of `src/sys/raw` beside the bare functions of the backend, and prints
 * {@linkcode CallCost}s as JSON.
 *
 * @module
 */

import { Cell } from "../../ffi/libc/cell.ts";
import { libc } from "../../src/sys/libc.ts";
import * as raw from "../../src/sys/raw/mod.ts";

/** Nanoseconds of one call. */
export interface CallCost {
  readonly call: string;
  readonly bareNs: number;
  readonly rawNs: number;
}

/** Calls in a batch. Batches are short and the fastest counts, because nothing disturbed it. */
const CALLS = 2000;
const BATCHES = 300;
const F_GETFD = 1;
const RWF_NOWAIT = 8;
const EBADF = 9;

const { close, fcntl, sendfile, preadv2 } = libc();
const cell = new Cell(16).address;
const bytes = new Uint8Array(1);

/** The same call in both ways. The bare one has its arguments prepared. */
const PAIRS: Record<string, readonly [bare: () => unknown, raw: () => number]> = {
  close: [() => close(-1), () => raw.close(-1)],
  fcntl: [() => fcntl(-1, F_GETFD, 0n), () => raw.fcntl(-1, F_GETFD, 0)],
  sendfile: [() => sendfile(-1, -1, cell, 1n), () => raw.sendfile(-1, -1, 0, 1)],
  preadv2: [
    () => preadv2(-1, cell, 1, 0n, RWF_NOWAIT),
    () => raw.preadv2(-1, bytes, 0, RWF_NOWAIT),
  ],
};

function nanoseconds(call: () => unknown): number {
  const startMs = performance.now();
  for (let i = 0; i < CALLS; i++) call();
  return (performance.now() - startMs) * 1e6 / CALLS;
}

function cost([name, [bare, own]]: [string, typeof PAIRS[string]]): CallCost {
  if (Number(bare()) !== -1 || own() !== -EBADF) throw new Error(`"${name}" should have failed`);
  let bareNs = Infinity;
  let rawNs = Infinity;
  for (let batch = 0; batch < BATCHES; batch++) {
    bareNs = Math.min(bareNs, nanoseconds(bare));
    rawNs = Math.min(rawNs, nanoseconds(own));
  }
  return { call: name, bareNs, rawNs };
}

console.log(JSON.stringify(Object.entries(PAIRS).map(cost)));
