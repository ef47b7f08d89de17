/** The advice that {@linkcode Mapping.advise} takes, by madvise(2). @module */

import { MemoryAdvice } from "../../sys/flags/memory.ts";

/** How a range will be used; see `Mapping.advise()`. */
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
