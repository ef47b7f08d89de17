/**
 * The entry `sluice/worker`: all code that sluice's threads run, in one file for bundlers.
 *
 * Does nothing unless sluice starts it.
 *
 * @module
 */

// In this order: the second import starts the job.
import "./jobs.ts";
import "./threads/worker.ts";
