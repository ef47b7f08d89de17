/** Waiting for descriptors to be closed. @module */

import { setTimeout as sleep } from "node:timers/promises";
import { openDescriptors } from "../../_kit/leaks.ts";

const STEP_MS = 20;
/** Runtimes close theirs a little later, and the pool of pipes its own after two seconds. */
const QUIET_MS = 2400;
/** What seems to be left open may belong to a thread that ends after ten seconds without work. */
const IDLE_MS = 12_000;
const MOST_MS = 20_000;

/** The open descriptors, once there are at most `most`, or nothing has changed for a while. */
export async function settled(most: number): Promise<string[]> {
  const quietMs = most === 0 ? QUIET_MS : IDLE_MS;
  let open = openDescriptors();
  for (let ms = 0, quiet = 0; ms < MOST_MS && quiet < quietMs; ms += STEP_MS) {
    if (open.length <= most) break;
    await sleep(STEP_MS);
    const now = openDescriptors();
    quiet = now.length === open.length ? quiet + STEP_MS : 0;
    open = now;
  }
  return open;
}
