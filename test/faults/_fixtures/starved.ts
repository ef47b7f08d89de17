/**
 * Does one thing while fewer and fewer descriptors are left, from none to more than enough.
 *
 * The argument names what is done. Prints a JSON text for each number of free descriptors,
 * `{ free, outcome }`, and last `{ before, after }`, how many were open without the thing.
 *
 * @module
 */

import process from "node:process";
import { startThreads } from "../../_kit/leaks.ts";
import * as sys from "../../../src/sys/mod.ts";
import { attempt, deed, numberOr, say, watch } from "./attempt.ts";
import { around } from "./deeds.ts";
import { settled } from "./settled.ts";

const MOST_FREE = numberOr(24);

// Report operations that never settle, instead of ending the process.
const rest = watch();

/** Takes every descriptor that the limit allows, but for `free`. */
function starve(free: number): number[] {
  const taken: number[] = [];
  for (;;) {
    const fd = sys.raw.open("/dev/null", sys.OpenFlag.RDONLY | sys.OpenFlag.CLOEXEC, 0);
    if (fd < 0) break;
    taken.push(fd);
  }
  for (const fd of taken.splice(0, free)) sys.close(fd);
  return taken;
}

let free = Infinity;
around.call = async (body) => {
  if (free === Infinity) return await body();
  const taken = starve(free);
  try {
    return await body();
  } finally {
    for (const fd of taken) sys.close(fd);
  }
};

await startThreads();
// Whatever a runtime or the library keeps from the first time on is no leak.
for (let i = 0; i < 2; i++) await deed();
const before = await settled(0);
for (free = 0; free <= MOST_FREE; free++) await attempt({ free });
// With enough of them everything works as before.
free = Infinity;
say({ free: "enough", outcome: { done: await deed() } });
const after = await settled(before.length);
rest();
say({
  before: before.length,
  after: after.length,
  added: after.filter((d) => !before.includes(d)),
});
process.exit(0);
