/** Jobs bundled with the Worker entry, so that the entry needs no other file. @module */

import type { JobModule } from "./job.ts";

/** Loads each job, by its file name without the extension. */
export const bundledJobs: Map<string, () => Promise<JobModule>> = new Map();

/** Returns the job of a file if it is bundled. */
export function bundledJob(url: string): Promise<JobModule> | undefined {
  const [, name] = /([^/]+)\.[cm]?[jt]s$/.exec(url) ?? [];
  return name === undefined ? undefined : bundledJobs.get(name)?.();
}
