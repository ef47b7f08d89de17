/**
 * Backs up a file and leaves the page cache as it was, so that other programs keep their cached
 * data: `node examples/direct_backup.ts SOURCE TARGET`, or with `bun` or `deno run -A`.
 *
 * The target appears under its name only when it is complete and on the disk. The last line says
 * how much of both files the page cache holds.
 *
 * @module
 */

import process from "node:process";
import { backUp } from "./direct_backup/backup.ts";
import { cachedBytes } from "./direct_backup/cached.ts";
import { progressLine } from "./direct_backup/progress_line.ts";

const [source, target] = process.argv.slice(2);
if (source === undefined || target === undefined) {
  console.error("Usage: direct_backup SOURCE TARGET");
  process.exit(2);
}

const controller = new AbortController();
process.once("SIGINT", () => controller.abort());
const line = progressLine(process.stderr);
try {
  const before = cachedBytes(source);
  const { bytes, durationMs, how } = await backUp(source, target, {
    signal: controller.signal,
    onProgress: (done, total) => line.show(done, total),
  });
  line.end();
  const speed = (bytes / 1e6 / (durationMs / 1e3)).toFixed(0);
  console.log(`${bytes} bytes in ${durationMs.toFixed(0)} ms, ${speed} MB/s, ${how}`);
  const after = cachedBytes(source) + cachedBytes(target);
  console.log(`in the page cache: ${before} bytes before, ${after} bytes after`);
} catch (error) {
  line.end();
  console.error((error as Error).message);
  process.exitCode = controller.signal.aborted ? 130 : 1;
}
