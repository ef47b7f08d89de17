/** The calls that the blocking thread can run. @module */

import { sendfileStep } from "../../move/engine/step/sendfile.ts";
import {
  close,
  copyFileRange,
  fallocate,
  fdatasync,
  fsync,
  ftruncate,
  ioctl,
  lseek,
  open,
  openat2,
  posixFadvise,
  readahead,
  renameat2,
  splice,
  syncFileRange,
} from "../../sys/raw/mod.ts";
import {
  copyRange,
  copyThrough,
  mapThrough,
  sendRange,
  spliceRange,
  spliceThrough,
} from "./copy_loops.ts";
import { cloneWhole, copyWhole, reserve } from "./copy_whole.ts";
import { nameWritten } from "./unnamed_file.ts";
import { collect, readInto, statInto } from "./file_calls.ts";
import { populate } from "../../page_cache/populate.ts";

/** Calls by name, with the arguments of the same name in `sys.raw` or in this folder. */
export interface BlockingCalls {
  readonly cloneWhole: typeof cloneWhole;
  readonly close: typeof close;
  readonly collect: typeof collect;
  readonly copyFileRange: typeof copyFileRange;
  readonly copyRange: typeof copyRange;
  readonly copyThrough: typeof copyThrough;
  readonly copyWhole: typeof copyWhole;
  readonly fallocate: typeof fallocate;
  readonly fdatasync: typeof fdatasync;
  readonly fsync: typeof fsync;
  readonly ftruncate: typeof ftruncate;
  readonly nameWritten: typeof nameWritten;
  readonly open: typeof open;
  readonly openat2: typeof openat2;
  readonly renameat2: typeof renameat2;
  readonly ioctl: typeof ioctl;
  readonly lseek: typeof lseek;
  readonly mapThrough: typeof mapThrough;
  readonly populate: typeof populate;
  readonly posixFadvise: typeof posixFadvise;
  readonly readahead: typeof readahead;
  readonly readInto: typeof readInto;
  readonly reserve: typeof reserve;
  readonly sendRange: typeof sendRange;
  readonly sendfile: typeof sendfileStep;
  readonly splice: typeof splice;
  readonly spliceRange: typeof spliceRange;
  readonly spliceThrough: typeof spliceThrough;
  readonly statInto: typeof statInto;
  readonly syncFileRange: typeof syncFileRange;
}

/** The functions of {@linkcode BlockingCalls}. */
export const CALLS: BlockingCalls = {
  cloneWhole,
  close,
  collect,
  copyFileRange,
  copyRange,
  copyThrough,
  copyWhole,
  fallocate,
  fdatasync,
  fsync,
  ftruncate,
  nameWritten,
  open,
  openat2,
  renameat2,
  ioctl,
  lseek,
  mapThrough,
  populate,
  posixFadvise,
  readahead,
  readInto,
  reserve,
  sendRange,
  sendfile: sendfileStep,
  splice,
  spliceRange,
  spliceThrough,
  statInto,
  syncFileRange,
};

/** A request to run one call, sent to the thread as a message. */
export interface Request {
  readonly id: number;
  readonly call: keyof BlockingCalls;
  readonly args: readonly (number | string | null | undefined | SharedArrayBuffer)[];
}
