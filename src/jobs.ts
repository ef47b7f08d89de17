/** Names the jobs of all layers, for the Worker entry. Each is loaded when a thread runs it. @module */

import { bundledJobs } from "./threads/jobs.ts";

// Literal paths: bundlers follow them, and put the jobs into the bundle or beside it.
bundledJobs
  .set("server_job", () => import("./http/server/thread/server_job.ts"))
  .set("prefetch_job", () => import("./http/server/thread/prefetch_job.ts"))
  .set("relay_job", () => import("./move/relay/server/relay_job.ts"));
