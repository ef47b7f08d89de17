/** Runs `sluice compare` on a small file, with a separate folder for its output. @module */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { type ChildResult, runChild } from "./child.ts";
import { pattern } from "./temp.ts";

/** The command. */
export const MAIN: URL = new URL("../../src/cli/main.ts", import.meta.url);

/** A page more than 2 MiB plus some bytes: not a multiple of any method's block. */
export const SIZE: number = 2 * 1024 * 1024 + 4096 + 123;

/** Time after which a comparison is killed: each of its runs is a process, on a busy machine. */
export const LIMIT_MS = 170_000;

/** Hides node:ffi's warning that it is experimental. */
export const QUIET = { NODE_NO_WARNINGS: "1" };

/** The folder that a suite works in. */
export class Place {
  /** Contains all files. */
  folder = "";
  /** The file to compare. */
  file = "";

  constructor() {
    before(() => {
      this.folder = mkdtempSync(join(tmpdir(), "sluice-test-compare-"));
      this.file = join(this.folder, "input");
      writeFileSync(this.file, pattern(SIZE));
    });
    after(() => rmSync(this.folder, { recursive: true }));
  }

  /** Runs a comparison. */
  run(...args: string[]): Promise<ChildResult> {
    return runChild(MAIN, {
      args: ["compare", "--temp", this.folder, ...args],
      env: QUIET,
      timeoutMs: LIMIT_MS,
    });
  }

  /** Files that comparisons have created and not removed. */
  made(): string[] {
    return readdirSync(this.folder).filter((name) => name.startsWith("sluice-compare-"));
  }
}
