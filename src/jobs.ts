/** Names the jobs of all layers, for the Worker entry. Each is loaded when a thread runs it. @module */

import { bundledJobs } from "./wait/jobs.ts";

// Literal paths: bundlers follow them, and put the jobs into the bundle or beside it.
bundledJobs
  .set("server_job", () => import("./http/server/server_job.ts"))
  .set("disk_job", () => import("./http/server/disk_job.ts"))
  .set("relay_job", () => import("./move/relay_job.ts"));
