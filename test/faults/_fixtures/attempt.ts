/** Common code of the programs here: `PROGRAM DEED FOLDER NUMBER` prints lines of JSON. @module */

import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { DEEDS } from "./deeds.ts";

const PATIENCE_MS = 20_000;

/** Prints a line. */
export const say = (line: unknown): void => console.log(JSON.stringify(line));

/** The operation. */
export const deed: () => Promise<unknown> = DEEDS[process.argv[2]!]!;

/** The last argument, or what counts without one. */
export const numberOr = (usual: number): number => Number(process.argv[4] ?? usual);

/** Reports uncaught errors, and keeps the process alive until the returned function is called. */
export function watch(): () => void {
  process.on("uncaughtException", (error) => say({ uncaught: String(error.stack) }));
  process.on("unhandledRejection", (error) => say({ unhandled: String((error as Error).stack) }));
  const alive = setInterval(() => {}, 1000);
  return () => clearInterval(alive);
}

/** Does it once, and says beside `more` how that ended. The process ends when it did not. */
export async function attempt(more: object = {}): Promise<void> {
  const outcome = await Promise.race([
    deed().then((done) => ({ done }), ({ name, code, bytesMoved, message }) => ({
      error: name,
      code,
      bytesMoved,
      message,
    })),
    sleep(PATIENCE_MS, "hang"),
  ]);
  say({ ...more, outcome });
  if (outcome === "hang") process.exit(9);
}
