#!/usr/bin/env node
/**
 * The `sluice` command. `npx sluice` runs it from the package. From a checkout, use
 * `node src/cli/main.ts`, `bun src/cli/main.ts` or `deno run -A src/cli/main.ts`.
 *
 * @module
 */

import process from "node:process";
import { startEarly } from "../threads/early_worker.ts";

/** Commands with threads: the job of these, and their name. */
const JOBS: Readonly<Record<string, readonly [string, string]>> = {
  serve: ["http/server/thread/server_job", "sluice server"],
  relay: ["move/relay/server/relay_job", "sluice relay"],
};

const job = JOBS[process.argv[2] ?? ""];
// While the thread loads, so does the rest here.
if (job !== undefined) startEarly(...job);
await import("./run.ts");
