/** What a compared method is, and what it is given. @module */

import type { Calls } from "./calls.ts";
import type { TargetName } from "./types.ts";

/** What a method is given: all is open before the clock starts. */
export interface Io {
  /** The file, to be read from its start. */
  readonly source: number;
  readonly size: number;
  /** Blocking descriptors, one or two. */
  readonly outs: readonly number[];
  readonly target: TargetName;
  readonly calls: Calls;
}

/** A way to move a file. */
export interface Method {
  /** Unique. */
  readonly name: string;
  /** One line for a table. */
  readonly label: string;
  readonly targets: readonly TargetName[];
  /** Whether it reads past the page cache: it has no warm state, and needs O_DIRECT. */
  readonly direct?: boolean;
  /** Moves everything with calls that are counted. Missing in the methods of {@linkcode library}. */
  readonly move?: (io: Io) => void;
  /** Moves everything with the runtime's own objects; see library.ts. */
  readonly library?: (job: LibraryJob) => Promise<void>;
}

/** What a method of a library is given: it opens by itself. */
export interface LibraryJob {
  readonly path: string;
  readonly ports: readonly number[];
  readonly output: string;
  readonly target: TargetName;
}
