/** Counts how often this thread has waited in the kernel. @module */

import { Cell } from "../../ffi/libc/cell.ts";
import { fold } from "../../ffi/libc/mod.ts";
import { libc } from "./libc.ts";

const RUSAGE_THREAD = 1;
/** Offset of `ru_nvcsw` in `struct rusage`: 16 words come before it. */
const VOLUNTARY = 128;

const usage = new Cell(144);

/** Times that this thread gave up its processor to wait: see getrusage(2). `-errno` on failure. */
export function waitsOfThread(): number {
  const result = fold(libc().getrusage(RUSAGE_THREAD, usage.address));
  return result < 0 ? result : Number(usage.view.getBigInt64(VOLUNTARY, true));
}
