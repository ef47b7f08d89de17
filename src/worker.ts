/**
 * The entry `sluice/worker`: what every thread of sluice runs, in one file for bundlers.
 *
 * It does nothing unless sluice has started it.
 *
 * @module
 */

// In this order: the second import starts the job.
import "./jobs.ts";
import "./threads/worker.ts";
