/** Jobs of all layers for the Worker entry. A thread loads a job when it runs it. @module */

import { bundledJobs } from "./threads/jobs.ts";

// The paths are literal so that bundlers follow them and include the jobs.
bundledJobs
  .set("server_job", () => import("./http/server/thread/server_job.ts"))
  .set("background_job", () => import("./http/server/background/background_job.ts"))
  .set("relay_job", () => import("./move/relay/server/relay_job.ts"));
