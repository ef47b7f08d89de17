/**
 * Copies a file and shows the progress: `node examples/copy_with_progress.ts SOURCE TARGET`, or
 * with `bun` or `deno run -A`. Ctrl-C leaves nothing behind.
 *
 * @module
 */

import process from "node:process";
import { copyFile } from "../src/mod.ts";

const [source, target] = process.argv.slice(2);
if (source === undefined || target === undefined) {
  console.error("Usage: copy_with_progress.ts SOURCE TARGET");
  process.exit(2);
}

const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort());

try {
  const { bytes, method, durationMs } = await copyFile(source, target, {
    signal: interrupt.signal,
    onProgress({ bytes, total }) {
      const percent = total === 0 ? 100 : Math.floor((100 * bytes) / total);
      process.stderr.write(`\r${percent} %`);
    },
  });
  process.stderr.write("\n");
  console.log(`${bytes} bytes by ${method} in ${durationMs.toFixed(1)} ms`);
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  process.exitCode = interrupt.signal.aborted ? 130 : 1;
}
