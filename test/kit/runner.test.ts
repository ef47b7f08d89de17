/** Results of `npm test` for one file: counts and verdict must be the same on every runtime. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const RUN = fileURLToPath(new URL("../_kit/run.ts", import.meta.url));
const INSTALLED_NODE = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));

const { bun, deno } = process.versions;
const THIS_RUNTIME = bun !== undefined
  ? ["--runtime", "bun"]
  : deno !== undefined
  ? ["--runtime", "deno"]
  : ["--node", process.execPath];

/** Node.js 22 itself exits with 0 when an `after` hook throws, also under `--test`. */
const FORGIVES_HOOKS = bun === undefined && deno === undefined && process.version.startsWith("v22.")
  ? "Node.js 22 does not fail a run whose after hook throws"
  : false;

/** What shows a failure before the last test: Deno prints the errors of a file only at its end. */
const SHOWN_AT_ONCE = deno === undefined ? /what failed before/ : /bad \.\.\. FAILED/;

/** Runs one file through `npm test`; the last line and the exit code. */
function verdict(
  source: string,
  ...flags: string[]
): { last: string; status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), "sluice-runner-"));
  try {
    const file = join(folder, "sample.test.ts");
    writeFileSync(file, `import { after, describe, it } from "node:test";\n${source}`);
    const options = { encoding: "utf8", timeout: 60_000 } as const;
    const { stdout, status } = spawnSync(
      INSTALLED_NODE,
      [RUN, ...THIS_RUNTIME, ...flags, file],
      options,
    );
    return { last: stdout.trimEnd().split("\n").at(-1)!, status, output: stdout };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Ends the processes that name a file of this folder: those of a runner that was killed go on. */
function endLeftOvers(folder: string): void {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      if (words.includes(`${folder}/hangs.test.ts`)) process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

describe("npm test", () => {
  it("counts nested tests, not the suites around them", () => {
    const { last, status } = verdict(`
      describe("outer", () => {
        describe("inner", () => { it("one", () => {}); it("two > three", () => {}); });
        it('quotes " and <tags> & more', () => {});
      });
      it("top", () => {});
      it("skipped", { skip: "a reason" }, () => { throw new Error("must not run"); });`);
    assert.equal(last, "4 passed, 0 failed, 1 skipped");
    assert.equal(status, 0);
  });

  it("counts a failure once and prints it", () => {
    const { last, status, output } = verdict(`
      describe("outer", () => {
        it("good", () => {});
        it("bad", () => { throw new Error("the reason of the failure"); });
      });`);
    assert.equal(last, "1 passed, 1 failed, 0 skipped");
    assert.equal(status, 1);
    assert.match(output, /the reason of the failure/);
  });

  it("counts a file whose only suite is skipped", () => {
    const { last, status } = verdict(`
      describe("all", { skip: "a reason" }, () => {
        it("never runs", () => { throw new Error("it ran"); });
      });`);
    assert.match(last, /^0 passed, 0 failed, 1 skipped$/);
    // A runtime on which nothing passed is told.
    assert.equal(status, 1);
  });

  it("fails a file without tests", () => {
    const { last, status, output } = verdict("");
    assert.equal(last, "0 passed, 1 failed, 0 skipped");
    assert.equal(status, 1);
    assert.match(output, /no test ran/);
  });

  it("fails a file that does not load", () => {
    const { last, output } = verdict(`throw new Error("while loading");`);
    assert.equal(last, "0 passed, 1 failed, 0 skipped");
    assert.match(output, /while loading/);
  });

  it("fails a file whose process is killed", () => {
    const { status, output } = verdict(`
      it("good", () => {});
      it("kills", () => process.kill(process.pid, "SIGKILL"));`);
    assert.equal(status, 1);
    assert.match(output, /killed by SIGKILL/);
  });

  it("fails a file that exits with 0 before its last test", () => {
    const { status } = verdict(`
      it("good", () => {});
      it("exits", async () => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        process.exit(0);
      });
      it("never runs", () => {});`);
    assert.equal(status, 1);
  });

  it("fails a file whose after hook throws", { skip: FORGIVES_HOOKS }, () => {
    const { last, status } = verdict(`
      describe("outer", () => {
        after(() => { throw new Error("in the hook"); });
        it("good", () => {});
      });`);
    assert.equal(last, "1 passed, 1 failed, 0 skipped");
    assert.equal(status, 1);
  });

  it("repeats a failed file only when asked to, and says so", () => {
    const marker = join(mkdtempSync(join(tmpdir(), "sluice-runner-")), "ran");
    const source = `
      import { existsSync, writeFileSync } from "node:fs";
      it("passes the second time", () => {
        const ran = existsSync(${JSON.stringify(marker)});
        writeFileSync(${JSON.stringify(marker)}, "");
        if (!ran) throw new Error("the first time");
      });`;
    try {
      const { last, status, output } = verdict(source, "--retry", "1");
      assert.equal(last, "1 passed, 0 failed, 0 skipped");
      assert.equal(status, 0);
      assert.match(output, /the first time/);
      assert.match(output, /^Unstable: .*sample\.test\.ts/m);
      rmSync(marker);
      assert.equal(verdict(source).last, "0 passed, 1 failed, 0 skipped");
    } finally {
      rmSync(join(marker, ".."), { recursive: true });
    }
  });

  it("repeats no file whose process crashed", () => {
    const killed = `it("kills", () => process.kill(process.pid, "SIGKILL"));`;
    const { status, output } = verdict(killed, "--retry", "1");
    assert.equal(status, 1);
    assert.equal(output.match(/sample\.test\.ts: killed by SIGKILL/g)?.length, 1);
  });

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"] as const) {
    it(`leaves nothing in the temporary folder when it gets ${signal}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "sluice-runner-"));
      try {
        const place = join(folder, "place");
        mkdirSync(place);
        const env = { ...process.env, TMPDIR: place };
        const run = (file: string) =>
          spawn(INSTALLED_NODE, [RUN, ...THIS_RUNTIME, file], { env, stdio: "ignore" });
        const hangs = join(folder, "hangs.test.ts");
        writeFileSync(
          hangs,
          `import { spawnSync } from "node:child_process";
          import { mkdtempSync, writeFileSync } from "node:fs";
          import { tmpdir } from "node:os";
          import { it } from "node:test";
          it("never ends", () => {
            const own = mkdtempSync(tmpdir() + "/sluice-");
            writeFileSync(own + "/file", "");
            // A test that is killed leaves its mounts, too.
            spawnSync("mount", ["-t", "tmpfs", "none", own]);
            writeFileSync(${JSON.stringify(join(folder, "begun"))}, "");
            return new Promise(() => setInterval(() => {}, 1000));
          });`,
        );
        const first = run(hangs);
        for (let i = 0; i < 600 && !existsSync(join(folder, "begun")); i++) await sleep(50);
        assert.ok(existsSync(join(folder, "begun")));
        // At any moment.
        await sleep(Math.random() * 100);
        first.kill(signal);
        await once(first, "exit");
        if (signal === "SIGKILL") {
          // No process is left to remove it; the next run does.
          assert.equal(readdirSync(place).length, 1);
          const ends = join(folder, "ends.test.ts");
          writeFileSync(ends, `import { it } from "node:test"; it("ends", () => {});`);
          await once(run(ends), "exit");
        }
        assert.deepEqual(readdirSync(place), []);
      } finally {
        endLeftOvers(folder);
        rmSync(folder, { recursive: true });
      }
    });
  }

  it("says what the processes of a file that hangs were doing", () => {
    const { status, output } = verdict(
      `
      import { spawn } from "node:child_process";
      import { once } from "node:events";
      describe("outer", () => {
        it("bad", () => { throw new Error("what failed before"); });
        it("hangs", async () => { await once(spawn("sleep", ["61"]), "exit"); });
      });`,
      "--patience",
      "0.03",
    );
    assert.equal(status, 1);
    assert.match(output, /sample\.test\.ts: killed after 9 s/);
    // Failures before it are not lost.
    assert.match(output, SHOWN_AT_ONCE);
    // The child is the first of the processes.
    assert.match(output, /^When it was killed:\n.*\nprocess \d+: \S*sleep 61$/m);
    assert.match(output, /^ {2}thread \d+ sleep: S \(sleeping\), \w+, system call \d+\(/m);
    assert.match(output, /^ {2}descriptors: 0=/m);
  });

  it("repeats a file that hung, and still says where it did", () => {
    const marker = join(mkdtempSync(join(tmpdir(), "sluice-runner-")), "ran");
    const source = `
      import { existsSync, writeFileSync } from "node:fs";
      it("hangs the first time", async () => {
        if (existsSync(${JSON.stringify(marker)})) return;
        writeFileSync(${JSON.stringify(marker)}, "");
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      });`;
    try {
      const { last, status, output } = verdict(source, "--retry", "1", "--patience", "0.03");
      assert.equal(last, "1 passed, 0 failed, 0 skipped");
      assert.equal(status, 0);
      assert.match(output, /^Unstable: .*sample\.test\.ts/m);
      assert.match(output, /^When it was killed:$/m);
    } finally {
      rmSync(join(marker, ".."), { recursive: true });
    }
  });

  it("runs a file on each runtime and each kind of row that it is told", () => {
    const source = `
      import process from "node:process";
      it("tells", () => { console.log("with <" + process.env.SLUICE_FFI + ">"); });`;
    const flags = ["--verbose", "--and-none", "--partly-node", INSTALLED_NODE];
    const { last, output } = verdict(source, ...flags);
    assert.equal(last, "3 passed, 0 failed, 0 skipped");
    assert.match(output, /with <none>/);
    assert.match(output, /with <koffi>/);
    assert.match(output, /^ok .*, cpu \d+\.\d s$/m);
  });

  it("refuses an unknown runtime", () => {
    const { status, stderr } = spawnSync(INSTALLED_NODE, [RUN, "--runtime", "rhino"], {
      encoding: "utf8",
    });
    assert.notEqual(status, 0);
    assert.match(stderr, /Cannot test on "rhino": expected some of node, node-ffi, bun, deno/);
  });
});
