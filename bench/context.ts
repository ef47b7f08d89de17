/** The input of a benchmark. @module */

import type { RuntimeName } from "./environment.ts";
import type { Report } from "./report.ts";
import type { PeerName } from "./selection.ts";
import type { Workspace } from "./workspace.ts";

/** Settings of a run. */
export interface Context {
  readonly workspace: Workspace;
  readonly runtimes: readonly RuntimeName[];
  readonly rounds: number;
  /** Share of the usual time that a measurement takes, where the benchmark goes by time. */
  readonly scale: number;
  /** What to run beside ours, where it is installed. */
  readonly peers: ReadonlySet<PeerName>;
  /** Reports progress. */
  note(text: string): void;
}

/** A benchmark. */
export type Benchmark = (context: Context) => Promise<Report>;
