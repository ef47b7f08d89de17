/** Jobs that the Worker entry brings along, so that a bundle of it needs no other file. @module */

import type { JobModule } from "./job.ts";

/** Loads each job, by the name of its file without the ending. */
export const bundledJobs: Map<string, () => Promise<JobModule>> = new Map();

/** Returns the job of a file, if it was brought along. */
export function bundledJob(url: string): Promise<JobModule> | undefined {
  const [, name] = /([^/]+)\.[cm]?[jt]s$/.exec(url) ?? [];
  return name === undefined ? undefined : bundledJobs.get(name)?.();
}
