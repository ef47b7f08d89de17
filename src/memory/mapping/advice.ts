/** Advice on how a mapping will be used. @module */

import { MemoryAdvice } from "../../sys/flags/memory.ts";

/** How a range will be used; see `advise()` of a mapping. */
export type MapAdvice =
  | "normal"
  | "random"
  | "sequential"
  | "willneed"
  | "cold"
  | "pageout"
  | "hugepage"
  | "nohugepage"
  | "dontdump";

/** The madvise(2) constant of each name. */
export const ADVICE: Record<MapAdvice, number> = {
  normal: MemoryAdvice.NORMAL,
  random: MemoryAdvice.RANDOM,
  sequential: MemoryAdvice.SEQUENTIAL,
  willneed: MemoryAdvice.WILLNEED,
  cold: MemoryAdvice.COLD,
  pageout: MemoryAdvice.PAGEOUT,
  hugepage: MemoryAdvice.HUGEPAGE,
  nohugepage: MemoryAdvice.NOHUGEPAGE,
  dontdump: MemoryAdvice.DONTDUMP,
};
