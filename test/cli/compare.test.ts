import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { readTrace, tracer } from "../../src/cli/compare/system/trace.ts";
import type { Comparison, Figures, Job, Row } from "../../src/cli/compare/types.ts";
import { LIMIT_MS, MAIN, Place, SIZE } from "../_kit/compare.ts";
import { programArgs } from "../_kit/package.ts";

const MB = 1024 * 1024;

const NO_STRACE = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0
  ? false
  : "strace cannot trace here";

describe("sluice compare", () => {
  const place = new Place();

  it("measures methods into a socket and a file, and counts what they do", async () => {
    const some = ["--methods", "rw64k,sendfile,splice,range,ring"];
    const targets = ["--to", "socket,file", "--cache", "warm", "--rounds", "1"];
    const { code, stdout, stderr } = await place.run(place.file, ...some, ...targets, "--json");
    assert.equal(code, 0, stderr);
    const { rows, refusals, choices, file: input } = JSON.parse(stdout) as Comparison;
    assert.equal(input.bytes, SIZE);
    const find = (target: string, method: string): Row =>
      rows.find((row) => row.target === target && row.method === method) ??
        assert.fail(`${method} into ${target} is missing: ${JSON.stringify(refusals)}`);
    const { traffic } = find("socket", "rw64k");
    // The last read finds the end.
    assert.equal(traffic.calls!["read"], Math.ceil(SIZE / 65536) + 1);
    assert.equal(traffic.calls!["write"], Math.ceil(SIZE / 65536));
    assert.deepEqual([traffic.intoUser, traffic.outOfUser], [SIZE, SIZE]);
    const none = { intoUser: 0, outOfUser: 0, inKernel: SIZE };
    for (const [target, method] of [["socket", "sendfile"], ["file", "range"]] as const) {
      const { calls: _, ...moved } = find(target, method).traffic;
      assert.deepEqual(moved, none);
    }
    for (const target of ["socket", "file"]) {
      // The report says if io_uring is missing or forbidden.
      if (refusals.some(({ method }) => method === "ring")) break;
      const { traffic: { calls, ...moved } } = find(target, "ring");
      assert.deepEqual(moved, { intoUser: SIZE, outOfUser: SIZE, inKernel: 0 });
      assert.ok(calls!["io_uring_enter"]! > 0);
    }
    // Into the pipe and out of it.
    assert.equal(find("socket", "splice").traffic.inKernel, 2 * SIZE);
    for (const row of rows) {
      assert.ok(row.ms.median > 0 && row.gbPerSecond.median > 0 && row.peak > MB, row.method);
      if (row.target === "file" && row.method === "rw64k") assert.ok(row.cacheGrowth >= SIZE);
    }
    assert.deepEqual(choices.map(({ target, cache }) => `${target} ${cache}`), [
      "socket warm",
      "file warm",
    ]);
    for (const { why, method } of choices) {
      assert.deepEqual([why, method], ["1 round is too few; it takes at least 3", null]);
    }
  });

  it("counts the calls that strace counts", { skip: NO_STRACE }, () => {
    const trace = join(place.folder, "trace");
    for (const method of ["rw64k", "sendfile", "mmap"]) {
      const output = join(place.folder, `copy-${method}`);
      const job: Job = {
        method,
        target: "file",
        path: place.file,
        size: SIZE,
        ports: [],
        output,
        warmUp: "",
      };
      const program = [process.execPath, ...programArgs(fileURLToPath(MAIN))];
      const [command, ...args] = [...tracer(trace)!, ...program, "compare-part"];
      const options = { encoding: "utf8", timeout: LIMIT_MS } as const;
      const { stdout, stderr } = spawnSync(command!, [...args, JSON.stringify(job)], options);
      const figures = JSON.parse(stdout || assert.fail(stderr)) as Figures;
      const traced = readTrace(trace);
      const { intoUser, outOfUser, inKernel } = figures;
      assert.equal(traced.inKernel, inKernel, method);
      // Threads of the runtime read and write as well: a few bytes, to wake each other.
      for (const [mine, all] of [[intoUser, traced.intoUser], [outOfUser, traced.outOfUser]]) {
        assert.ok(all! >= mine! && all! - mine! < 4096, `${method}: ${mine} of ${all}`);
      }
      for (const [name, count] of Object.entries(figures.calls!)) {
        const seen = traced.calls![name] ?? 0;
        assert.ok(seen >= count, `${method}: ${seen} of ${count} x ${name}`);
        if (/^(sendfile|mmap|read)$/.test(name)) {
          assert.ok(seen < count + 64, `${method}: ${seen} for ${count} x ${name}`);
        }
      }
      assert.ok(readFileSync(output).equals(readFileSync(place.file)));
    }
  });
});
