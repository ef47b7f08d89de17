/** A benchmark that is interrupted leaves nothing behind. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runtime } from "../../ffi/mod.ts";

const BENCH = fileURLToPath(new URL("../../bench/run.ts", import.meta.url));
const NOT_NODE = runtime().name === "node" ? false : "bench/run.ts is a program for Node.js";

/** Processes that have the folder in their command line. */
function processes(folder: string): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(folder);
    } catch {
      return false;
    }
  });
}

describe("npm run bench, interrupted", () => {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    it(
      `ends with ${code} after ${signal}: no file and no process is left`,
      { skip: NOT_NODE },
      async () => {
        const folder = mkdtempSync(join(tmpdir(), "sluice-interrupt-"));
        try {
          const args = [BENCH, "transfer", "--runtimes", "node", "--rounds", "1000"];
          const child = spawn(process.execPath, args, {
            env: { ...process.env, TMPDIR: folder },
            stdio: ["ignore", "ignore", "pipe"],
          });
          // Its first output comes once everything is compiled and the file is written.
          await once(child.stderr!, "data");
          child.stderr!.resume();
          await sleep(300);
          child.kill(signal);
          const [ended] = await once(child, "close");
          assert.equal(ended, code);
          assert.deepEqual(readdirSync(folder), []);
          for (let i = 0; i < 100 && processes(folder).length > 0; i++) await sleep(50);
          assert.deepEqual(processes(folder), []);
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      },
    );
  }
});
