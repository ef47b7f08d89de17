import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Folder, noise } from "../../_kit/bytes.ts";
import { parseTrace } from "../../_kit/strace.ts";

const MIB = 1024 * 1024;
const FIXTURE = fileURLToPath(new URL("../_fixtures/copy_traced.ts", import.meta.url));
const folder = new Folder();
after(() => folder.remove());

const NO_STRACE = spawnSync("strace", ["-V"]).error === undefined
  ? false
  : "strace(1) shows which thread makes a call; it is not installed";

/** Calls that may wait for a disk when they read or write a file. */
const WAITS = new Set([
  "copy_file_range",
  "sendfile",
  "splice",
  "pread64",
  "pwrite64",
  "write",
  "read",
  "fsync",
  "sync_file_range",
]);

describe("the thread of JavaScript", () => {
  for (const what of ["copyFile", "file to file", "file to pipe to file"]) {
    it(`makes no call that waits for a disk: ${what}`, { skip: NO_STRACE }, () => {
      const source = folder.file(noise(5 * MIB));
      const target = join(folder.path, what);
      const trace = join(folder.path, `${what}.trace`);
      const deno = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
      const command = [process.execPath, ...deno, FIXTURE, what, source, target];
      const { status, stderr } = spawnSync(
        "strace",
        ["-f", "-ttt", "-y", "-o", trace, ...command],
        {
          encoding: "utf8",
          timeout: 90_000,
        },
      );
      assert.equal(status, 0, stderr);
      assert.ok(readFileSync(target).equals(readFileSync(source)));
      const text = readFileSync(trace, "utf8");
      // The first thread of the trace is the one that runs JavaScript.
      const [main] = text.split(" ", 1);
      const own = text.split("\n").filter((line) => line.startsWith(`${main} `)).join("\n");
      // Its own name, a temporary one, or none: strace then shows the number of the file.
      const names = [`<${target}>`, ".sluice>", `<${folder.path}/#`];
      const toTarget = (lines: string) =>
        parseTrace(lines).filter(({ name, args }) =>
          WAITS.has(name) && names.some((each) => args.includes(each))
        ).map(({ name, args }) => `${name}(${args})`);
      assert.deepEqual(toTarget(own), []);
      assert.ok(toTarget(text).length > 0, "another thread writes");
    });
  }
});
