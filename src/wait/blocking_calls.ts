/** The calls that the blocking thread knows. @module */

import {
  copyFileRange,
  fallocate,
  fdatasync,
  fsync,
  openat2,
  posixFadvise,
  readahead,
  sendfile,
  splice,
} from "../sys/raw/mod.ts";
import { populate } from "./populate.ts";

/** Calls by name, each with the arguments of its namesake in `sys.raw`. */
export interface BlockingCalls {
  readonly copyFileRange: typeof copyFileRange;
  readonly fallocate: typeof fallocate;
  readonly fdatasync: typeof fdatasync;
  readonly fsync: typeof fsync;
  readonly openat2: typeof openat2;
  readonly populate: typeof populate;
  readonly posixFadvise: typeof posixFadvise;
  readonly readahead: typeof readahead;
  readonly sendfile: typeof sendfile;
  readonly splice: typeof splice;
}

/** The table of {@linkcode BlockingCalls}. */
export const CALLS: BlockingCalls = {
  copyFileRange,
  fallocate,
  fdatasync,
  fsync,
  openat2,
  populate,
  posixFadvise,
  readahead,
  sendfile,
  splice,
};

/** One call to run; travels to the thread as a message. */
export interface Request {
  readonly id: number;
  readonly call: keyof BlockingCalls;
  readonly args: readonly (number | string | null | undefined)[];
}
