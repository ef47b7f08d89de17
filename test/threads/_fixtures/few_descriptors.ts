/** Does `WHAT` while only `FREE` descriptors are free, which the arguments say; prints how it ended. @module */

import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createFileServer } from "../../../src/http/mod.ts";
import { copyFile } from "../../../src/mod.ts";

const [what, free] = process.argv.slice(-2) as [string, string];
const folder = mkdtempSync(join(tmpdir(), "sluice-few-"));
const source = join(folder, "source");
const bytes = new Uint8Array(3_000_000).fill(7);
writeFileSync(source, bytes);

async function work(): Promise<string> {
  if (what === "copyFile") {
    await copyFile(source, join(folder, "target"));
    return readFileSync(join(folder, "target")).equals(bytes) ? "whole" : "damaged";
  }
  const server = createFileServer({ root: folder });
  await server.listen();
  await server.close({ graceMs: 0 });
  return "whole";
}

// Enough for the descriptors that the runtime opens for itself.
const limit = ["--nofile=256:256", "--pid", String(process.pid)];
const { status, stderr } = spawnSync("prlimit", limit);
if (status !== 0) throw new Error(`prlimit: ${stderr}`);
const hoard: number[] = [];
try {
  for (;;) hoard.push(openSync("/dev/null", "r"));
} catch {
  for (let i = 0; i < Number(free); i++) closeSync(hoard.pop()!);
}
const end = await work().catch((error) => error.code ?? String(error));
for (const fd of hoard) closeSync(fd);
rmSync(folder, { recursive: true });
console.log(end);
process.exit(0);
