/** Copies a file, for a test that reads what this prints. @module */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyFile } from "../../../src/mod.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-"));
try {
  writeFileSync(join(folder, "a"), new Uint8Array(8 * 1024 * 1024));
  await copyFile(join(folder, "a"), join(folder, "b"));
} finally {
  rmSync(folder, { recursive: true });
}
