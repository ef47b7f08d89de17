import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { runChild } from "../_kit/child.ts";

const FIXTURE = new URL("./_fixtures/few_descriptors.ts", import.meta.url);
const NO_PRLIMIT = spawnSync("prlimit", ["--version"]).status !== 0 && "prlimit is not here";

/** Too few for anything, for a thread, or for the descriptors of a thread; and enough. */
const FREE = [1, 4, 8, 11, 14, 18, 40];

describe("a process that has few descriptors left", { skip: NO_PRLIMIT }, () => {
  for (const what of ["copyFile", "createFileServer"]) {
    for (const free of FREE) {
      it(`${what} with ${free} of them ends well, or with EMFILE`, async () => {
        const args = [what, String(free)];
        const { code, signal, stdout, stderr } = await runChild(FIXTURE, { args });
        assert.deepEqual([code, signal], [0, null], stderr);
        assert.match(stdout, free === FREE.at(-1) ? /^whole$/m : /^(whole|EMFILE)$/m);
      });
    }
  }
});
