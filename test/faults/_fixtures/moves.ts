/**
 * Does one thing several times, whatever the system answers, and tells how each time ended.
 *
 * Arguments: what is done, a folder for it, and how many descriptors there are when nothing is wrong.
 * Each line that it prints is one JSON text: `{ outcome }` for each time, and last `{ descriptors }`,
 * those that are open once everything has settled.
 *
 * @module
 */

import process from "node:process";
import { startThreads } from "../../_kit/leaks.ts";
import { attempt, numberOr, say, watch } from "./attempt.ts";
import { settled } from "./settled.ts";

const TIMES = 3;

// Report operations that never settle, instead of ending the process.
const rest = watch();
// Which of them a deed needs depends on what fails.
await startThreads().catch(() => {});
for (let i = 0; i < TIMES; i++) await attempt();
const open = await settled(numberOr(0));
rest();
say({ descriptors: open.map((line) => line.replace(/^\d+:/, "").replace(/\[\d+\]/, "")).sort() });
process.exit(0);
