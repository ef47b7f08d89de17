/** A copy's target while it is not complete. @module */

import type { FileFacts } from "../../sys/file/statx.ts";

/** A file that is being made. */
export interface CopyTarget {
  readonly fd: number;
  /** Path of the file while it is not complete; `undefined` of one without a name. */
  readonly path: string | undefined;
  /** Closes the file and gives it its name. */
  finish(): Promise<void>;
  /** Closes the file and leaves nothing of it behind. */
  discard(): Promise<void>;
}

/** What a target is made from. */
export interface TargetOptions {
  /** Under a temporary name first. */
  readonly atomic: boolean;
  /** In place of a file that exists. */
  readonly overwrite: boolean;
  /** Permission bits of the file, or `undefined` for those of any new file. */
  readonly mode: number | undefined;
  /** Times of access and change that the file gets, or `undefined` for those of now. */
  readonly times: FileFacts | undefined;
  /** Waits until the disk has the bytes. */
  readonly durable: boolean;
}
