/** The incomplete target of a copy. @module */

import type { FileFacts } from "../../sys/file/statx.ts";

/** A file being written. */
export interface CopyTarget {
  readonly fd: number;
  /** Path of the incomplete file; `undefined` without a name. */
  readonly path: string | undefined;
  /** Closes the file and gives it its name. */
  finish(): Promise<void>;
  /** Closes and removes the file. */
  discard(): Promise<void>;
}

/** How to create a target. */
export interface TargetOptions {
  /** Uses a temporary name first. */
  readonly atomic: boolean;
  /** Replaces an existing file. */
  readonly overwrite: boolean;
  /** Permission bits of the file, or `undefined` for those of any new file. */
  readonly mode: number | undefined;
  /** Access and modification times of the file, or `undefined` for the current time. */
  readonly times: FileFacts | undefined;
  /** Bytes to reserve on the disk before they are written; 0 for none. */
  readonly reserve: number;
  /** Waits until the bytes are on the disk. */
  readonly durable: boolean;
}
