/** The calls that the blocking thread knows. @module */

import { sendfileStep } from "../move/engine/step/sendfile.ts";
import {
  copyFileRange,
  fallocate,
  fdatasync,
  fsync,
  ftruncate,
  ioctl,
  openat2,
  posixFadvise,
  readahead,
  splice,
  syncFileRange,
} from "../sys/raw/mod.ts";
import {
  copyRange,
  copyThrough,
  mapThrough,
  sendRange,
  spliceRange,
  spliceThrough,
} from "./copying.ts";
import { cloneWhole, copyWhole } from "./copy_whole.ts";
import { populate } from "./populate.ts";

/** Calls by name, each with the arguments of its namesake in `sys.raw` or in this folder. */
export interface BlockingCalls {
  readonly cloneWhole: typeof cloneWhole;
  readonly copyFileRange: typeof copyFileRange;
  readonly copyRange: typeof copyRange;
  readonly copyThrough: typeof copyThrough;
  readonly copyWhole: typeof copyWhole;
  readonly fallocate: typeof fallocate;
  readonly fdatasync: typeof fdatasync;
  readonly fsync: typeof fsync;
  readonly ftruncate: typeof ftruncate;
  readonly openat2: typeof openat2;
  readonly ioctl: typeof ioctl;
  readonly mapThrough: typeof mapThrough;
  readonly populate: typeof populate;
  readonly posixFadvise: typeof posixFadvise;
  readonly readahead: typeof readahead;
  readonly sendRange: typeof sendRange;
  readonly sendfile: typeof sendfileStep;
  readonly splice: typeof splice;
  readonly spliceRange: typeof spliceRange;
  readonly spliceThrough: typeof spliceThrough;
  readonly syncFileRange: typeof syncFileRange;
}

/** The table of {@linkcode BlockingCalls}. */
export const CALLS: BlockingCalls = {
  cloneWhole,
  copyFileRange,
  copyRange,
  copyThrough,
  copyWhole,
  fallocate,
  fdatasync,
  fsync,
  ftruncate,
  openat2,
  ioctl,
  mapThrough,
  populate,
  posixFadvise,
  readahead,
  sendRange,
  sendfile: sendfileStep,
  splice,
  spliceRange,
  spliceThrough,
  syncFileRange,
};

/** One call to run; travels to the thread as a message. */
export interface Request {
  readonly id: number;
  readonly call: keyof BlockingCalls;
  readonly args: readonly (number | string | null | undefined)[];
}
