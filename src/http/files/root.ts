/** What a root is, however it keeps lookups below its folder. @module */

import type { Mount } from "../../sys/file/mounts.ts";
import type { Representation } from "../rules/representation.ts";

/** What becomes of symbolic links below a root. */
export type Symlinks = "inside" | "deny" | "follow";

/** A regular file or a folder that is open for reading. */
export interface OpenFile {
  readonly fd: number;
  readonly folder: boolean;
  /** Bytes, as the descriptor tells them. */
  readonly size: number;
  /** Last modification by the descriptor, in nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
  /** Last change of data or attributes by the descriptor, in nanoseconds since the epoch. */
  readonly ctimeNs: bigint;
  /**
   * Whether its contents were made up when it was opened, as those of procfs: next time they are others,
   * so nobody keeps it.
   */
  readonly made?: boolean;
  /** Whether another machine or process has it; not known where this is missing. */
  readonly remote?: boolean | undefined;
  /** Whoever opens it closes it, once. */
  close(): void;
  /** What has been worked out about this version, for those who keep the file open. */
  described?: Representation;
}

/** A folder, and the only way to what is in it. */
export interface Root {
  /** Path of the folder. */
  readonly path: string;
  /**
   * Opens a path below the folder, such as `a/b.txt`, or `.` for itself. Anything but a regular file
   * or a folder counts as absent. Returns a negative errno on failure; never throws for the path.
   *
   * At once where neither a disk nor another machine has to be waited for; else a promise, which does not
   * reject. (Linux cannot tell before 5.12; the loop waits there for disks.)
   */
  open(path: string): OpenFile | number | Promise<OpenFile | number>;
  /** As {@linkcode Root.open}, but waits: for threads of their own. Without FFI there is none. */
  openNow: ((path: string) => OpenFile | number) | null;
  /**
   * As {@linkcode Root.openNow}, but waits for disks of this machine at most: where another machine or
   * process has to be asked, it returns the mount whose threads should do that.
   */
  openNear: ((path: string) => OpenFile | number | Mount) | null;
  /** Closes the folder; files that were opened stay open. */
  close(): void;
}
