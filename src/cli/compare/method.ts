/** The interface of a compared method. @module */

import type { Calls } from "./calls.ts";
import type { TargetName } from "./types.ts";

/** Input of a method. All descriptors are open before the clock starts. */
export interface Io {
  /** The file, at its start. */
  readonly source: number;
  readonly size: number;
  /** Blocking descriptors, one or two. */
  readonly outs: readonly number[];
  readonly target: TargetName;
  readonly calls: Calls;
}

/** A way to move a file. */
export interface Method {
  /** Unique name. */
  readonly name: string;
  /** Label for a table. */
  readonly label: string;
  readonly targets: readonly TargetName[];
  /** Whether it reads past the page cache. It then has no warm state and needs O_DIRECT. */
  readonly direct?: boolean;
  /** Whether it is a function of sluice's public interface. */
  readonly own?: boolean;
  /** Moves all bytes by counted calls. Absent if {@linkcode library} is present. */
  readonly move?: (io: Io) => void;
  /** Moves all bytes by the runtime's own objects; see library.ts. */
  readonly library?: (job: LibraryJob) => Promise<void>;
}

/** Input of a library method, which opens files itself. */
export interface LibraryJob {
  readonly path: string;
  readonly ports: readonly number[];
  readonly output: string;
  readonly target: TargetName;
}
