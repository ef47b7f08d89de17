/**
 * Fills a target by every method until the limit of its file size (RLIMIT_FSIZE, set by whoever starts
 * it) or the end of its disk, and prints what was reported and what is left.
 *
 * @module
 */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { copyFile, type CopyOptions, transfer } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";

const [source = "", folder = ""] = process.argv.slice(-2);
const results: Record<string, unknown>[] = [];

async function attempt(name: string, task: () => Promise<unknown>): Promise<void> {
  const error = await task().then(() => null, (error) => error);
  results.push({
    name,
    code: error?.code ?? null,
    bytesMoved: error?.bytesMoved ?? null,
    left: existsSync(folder) ? readdirSync(folder) : null,
  });
}

for (
  const method of ["auto", "range", "sendfile", "splice", "mmap", "copy", "direct"] as const
) {
  for (const cache of ["keep", "drop"] as const) {
    const options: CopyOptions = { method, cache };
    await attempt(
      `copyFile ${method} ${cache}`,
      () => copyFile(source, join(folder, "target"), options),
    );
  }
}
for (const method of ["auto", "range", "sendfile", "splice", "copy"] as const) {
  await attempt(`transfer ${method}`, async () => {
    const path = join(folder, "target");
    const { CREAT, TRUNC, WRONLY, CLOEXEC } = sys.OpenFlag;
    const fd = sys.open(path, WRONLY | CREAT | TRUNC | CLOEXEC, 0o600);
    try {
      await transfer(source, fd, { method });
    } finally {
      sys.close(fd);
      const { unlinkSync } = await import("node:fs");
      unlinkSync(path);
    }
  });
}
console.log(JSON.stringify(results));
process.exit(0);
