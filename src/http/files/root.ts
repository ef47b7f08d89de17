/** The interface of a root, however it keeps look-ups below its folder. @module */

import type { Mount } from "../../sys/file/mounts.ts";
import type { Representation } from "../rules/representation.ts";

/** Treatment of symbolic links below a root. */
export type Symlinks = "inside" | "deny" | "follow";

/** A regular file or folder, open for reading. */
export interface OpenFile {
  readonly fd: number;
  readonly folder: boolean;
  /** Bytes, as the descriptor reports. */
  readonly size: number;
  /** Last modification by the descriptor, in nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
  /** Last change of data or attributes by the descriptor, in nanoseconds since the epoch. */
  readonly ctimeNs: bigint;
  /**
   * Whether the contents were generated at open time, as in procfs. The next open gives others, so
   * do not cache the file.
   */
  readonly made?: boolean;
  /** Whether another machine or process holds the file; unknown if absent. */
  readonly remote?: boolean | undefined;
  /** Closes the file. Call it once, if you opened the file. */
  close(): void;
  /** Values computed from this version, for callers that keep the file open. */
  described?: Representation;
}

/** A folder, and the only access to its files. */
export interface Root {
  /** Path of the folder. */
  readonly path: string;
  /**
   * Opens a path below the folder, such as `a/b.txt`; `.` opens the folder. Treats anything but a
   * regular file or folder as absent. Returns a negative errno on failure; never throws because of
   * the path.
   *
   * Returns at once, or a promise if it must wait for a disk or another machine. The promise does
   * not reject. Before Linux 5.12, the kernel cannot tell whether a disk is needed, and the event
   * loop waits.
   */
  open(path: string): OpenFile | number | Promise<OpenFile | number>;
  /** Does the same, but blocks; for threads of their own. `null` without FFI. */
  openNow: ((path: string) => OpenFile | number) | null;
  /**
   * As {@linkcode Root.openNow}, but waits for disks of this machine at most: where another machine or
   * process has to be asked, it returns the mount whose threads should do that.
   */
  openNear: ((path: string) => OpenFile | number | Mount) | null;
  /** Closes the folder. Opened files stay open. */
  close(): void;
}
