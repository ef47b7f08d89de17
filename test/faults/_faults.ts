/** Starts the programs of the fault tests, and checks their reports. @module */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { command } from "../_kit/server.ts";

const MOVES = new URL("./_fixtures/moves.ts", import.meta.url);
const STARVED = new URL("./_fixtures/starved.ts", import.meta.url);

/** How one time ended. */
type Outcome = "hang" | { done: string } | {
  error: string;
  code?: string;
  bytesMoved?: number;
  message: string;
};

interface Line {
  outcome?: Outcome;
  free?: number | string;
  descriptors?: string[];
  before?: number;
  after?: number;
  added?: string[];
  uncaught?: string;
  unhandled?: string;
}

/** One fault: the operation, the kernel's injected result, and the expected outcome. */
export interface Fault {
  /** Name in _fixtures/deeds.ts. */
  readonly deed: string;
  /** As strace(1) has it: `sendfile:error=EIO:when=3`. */
  readonly inject: string;
  /** Only the calls for the file that is moved: the runtime makes others of this name, too. */
  readonly own?: boolean;
  /**
   * `"done"`: each time succeeds. `{ some }`: one or more fail with this code, and no other, for each
   * thread counts its own calls. A list: what each time must be, the code of an error or, behind `"="`,
   * how the thing went.
   */
  readonly ends: "done" | { readonly some: string } | readonly string[];
}

/** Why faults cannot be injected here. */
export const NO_STRACE: string | false = spawnSync("strace", ["-V"]).status === 0
  ? false
  : "strace is not installed";

/** How many descriptors there are after a deed without a fault. */
const usual = new Map<string, Promise<number>>();

/** The deeds that have a test in this file. */
const deeds = new Set<string>();

/** Programs without a fault that run at a time. */
const BESIDE = 4;

/** The ends of the programs without a fault, each of which the next one waits for. */
const lanes = Array<Promise<unknown>>(BESIDE).fill(Promise.resolve());

/**
 * Finds out how many descriptors each deed leaves without a fault, for all that have a test so far:
 * each program waits for seconds until nothing changes any more, and computes little. (Deno registers
 * the tests of a suite when it comes to the suite.)
 */
function usualOf(deed: string): Promise<number> {
  for (const each of deeds) {
    if (usual.has(each)) continue;
    const lane = usual.size % BESIDE;
    const counted = lanes[lane]!.then(async () =>
      judged(await run(MOVES, [each])).descriptors!.length
    );
    usual.set(each, counted);
    // The test of this deed fails by it.
    lanes[lane] = counted.catch(() => {});
  }
  return usual.get(deed)!;
}

/** Deeds whose source is a path, which their errors name. */
const BY_PATH: ReadonlySet<string> = new Set(["socket", "response", "descriptor", "transferred"]);

/** Tests that what the kernel refuses harms nothing else. */
export function testFault({ deed, inject, own = false, ends }: Fault): void {
  const skip = NO_STRACE;
  if (skip === false) deeds.add(deed);
  it(`${deed}, ${inject}`, { skip }, async () => {
    const most = await usualOf(deed);
    const folder = mkdtempSync(join(tmpdir(), "sluice-faults-"));
    try {
      const trace = join(folder, "trace");
      const [name] = inject.split(":") as [string];
      const flags = ["-f", "-qq", "-o", trace, "-e", `trace=${name}`, "-e", `inject=${inject}`];
      if (own) flags.push("-P", join(folder, "file"));
      const lines = await run(MOVES, [deed, folder, String(most)], ["strace", ...flags]);
      const { descriptors, outcomes } = judged(lines);
      assert.match(readFileSync(trace, "utf8"), /\(INJECTED\)/, "nothing was injected");
      const told = outcomes.map(briefly);
      if (ends === "done") assert.ok(told.every((each) => each.startsWith("=")), told.join());
      else if (!Array.isArray(ends)) {
        const failed = told.filter((each) => !each.startsWith("="));
        const { some } = ends as { some: string };
        assert.deepEqual([...new Set(failed)], [some], told.join());
      } else assert.deepEqual(told, ends);
      assert.ok(descriptors!.length <= most, `left open: ${descriptors}`);
      for (const outcome of BY_PATH.has(deed) ? outcomes : []) {
        if (typeof outcome === "string" || !("error" in outcome)) continue;
        assert.ok(outcome.message.includes(JSON.stringify(join(folder, "file"))), outcome.message);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

/** Tests that a thing fails properly with any number of descriptors that is too low. */
export function testStarved(
  deed: string,
  mostFree: number,
  failures: RegExp,
  skip: string | false = false,
): void {
  it(`${deed} with 0 to ${mostFree} descriptors left`, { skip }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-faults-"));
    try {
      const lines = await run(STARVED, [deed, folder, String(mostFree)], [
        "prlimit",
        "--nofile=192",
      ]);
      const { outcomes } = judged(lines);
      assert.equal(outcomes.length, mostFree + 2);
      for (const outcome of outcomes) assert.match(briefly(outcome), failures);
      for (const outcome of outcomes.slice(-2)) assert.match(briefly(outcome), /^=/);
      const { after, before, added } = lines.at(-1)!;
      assert.ok(after! <= before!, `left open: ${added}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

async function run(
  file: URL,
  args: readonly string[],
  under: readonly string[] = [],
): Promise<Line[]> {
  const [executable, ...rest] = [...under, ...command(file), ...args];
  const child = spawn(executable!, rest, {
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => output[name] += text);
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), 150_000);
  try {
    const [status, signal] = await once(child, "close") as [number | null, string | null];
    const said = `${fileURLToPath(file)}: ${output.stdout}${output.stderr}`;
    assert.deepEqual([status, signal], [0, null], said);
  } finally {
    clearTimeout(timer);
  }
  return output.stdout.trim().split("\n").map((line) => JSON.parse(line) as Line);
}

function judged(lines: readonly Line[]): { outcomes: Outcome[]; descriptors?: string[] } {
  const astray = lines.filter(({ uncaught, unhandled }) => uncaught ?? unhandled);
  assert.deepEqual(astray, []);
  const outcomes = lines.flatMap(({ outcome }) => outcome ?? []);
  for (const outcome of outcomes) {
    if (typeof outcome === "string" || !("error" in outcome)) continue;
    const { bytesMoved, error, message } = outcome;
    assert.ok(error !== "SyscallError" || Number.isInteger(bytesMoved), message);
  }
  const descriptors = lines.at(-1)!.descriptors;
  return { outcomes, ...(descriptors !== undefined && { descriptors }) };
}

function briefly(outcome: Outcome): string {
  if (outcome === "hang") return outcome;
  if ("done" in outcome) return `=${outcome.done}`;
  // An error that names no code is one of the test's: what arrived is wrong.
  return outcome.code ?? `${outcome.error}: ${outcome.message}`;
}
