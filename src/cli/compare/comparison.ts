/** Runs the comparison: each method in its own process, in interleaved rounds. @module */

import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { checksum, generate, InputFile, LEAST_BYTES } from "./input.ts";
import { METHODS } from "./methods.ts";
import type { Method } from "./method.ts";
import { cachedBytes, drop, warm } from "./system/page_cache.ts";
import { Session, type Sink } from "./session.ts";
import { choose } from "./advice.ts";
import { rowsOf } from "./summary.ts";
import { readTrace, tracer } from "./system/trace.ts";
import type {
  CacheState,
  Comparison,
  Figures,
  Job,
  Refusal,
  Sample,
  TargetName,
  Traffic,
} from "./types.ts";
import { machine } from "./system/machine.ts";

/** What to compare. */
export interface Plan {
  /** The file; without it, `size` random bytes. */
  readonly file: string | undefined;
  readonly size: number;
  readonly rounds: number;
  readonly targets: readonly TargetName[];
  readonly caches: readonly CacheState[];
  /** Names of methods; empty for all. */
  readonly methods: readonly string[];
  /** Folder for temporary files. */
  readonly temp: string | undefined;
  /** Reports progress as a share from 0 to 1. */
  readonly progress: (share: number, what: string) => void;
}

/** Bytes of the warm-up file that libraries move first. */
const WARM_UP = 2 * 1024 * 1024;

/** Receivers of all targets. */
interface Sinks {
  readonly sockets: readonly Sink[];
  /** Two pipes, or none if no pipe is needed. */
  readonly pipes: readonly Sink[];
  readonly fifo: string;
}

/** Runs the comparison, and always removes what it made. */
export async function compare(plan: Plan, signal: AbortSignal): Promise<Comparison> {
  const session = new Session(signal, plan.temp);
  let run: Run | undefined;
  try {
    run = new Run(plan, session);
    return await run.all();
  } catch (error) {
    // If the file is gone, report that: it explains any other error.
    if (!signal.aborted) run?.input.checkUnchanged();
    throw error;
  } finally {
    session.close();
  }
}

class Run {
  readonly #plan: Plan;
  readonly #session: Session;
  readonly #progress: Plan["progress"];
  /** The file. */
  readonly input: InputFile;
  readonly #refusals: Refusal[] = [];
  readonly #traced = new Map<string, Traffic>();
  readonly #notes: string[] = [];
  readonly #warmUp: string;
  #outputs = 0;

  constructor(plan: Plan, session: Session) {
    this.#plan = plan;
    this.#session = session;
    this.#progress = plan.progress;
    this.input = InputFile.open(plan.file, plan.size, session.folder);
    this.#warmUp = join(session.folder, "first");
    if (this.input.tooSmall) return;
    generate(this.#warmUp, WARM_UP);
    if (plan.targets.includes("file")) this.input.checkRoom(session.folder);
  }

  async all(): Promise<Comparison> {
    const { rounds } = this.#plan;
    this.#progress(0, "taking the checksum");
    const sha256 = checksum(this.input.path);
    if (this.input.tooSmall) return this.#report(sha256, []);
    const chosen = await this.#verify(sha256);
    const caches = await this.#caches();
    const sinks = await this.#sinks(false);
    const runs = chosen.flatMap(({ target, method }) =>
      caches.map((cache) => ({ target, method, cache }))
    );
    const samples: Sample[] = [];
    for (let round = 0; round < rounds; round++) {
      // Rotates the order, so that no method always follows the same neighbour.
      const shift = Math.floor((round * runs.length) / rounds);
      for (const { target, method, cache } of [...runs.slice(shift), ...runs.slice(0, shift)]) {
        this.#progress(samples.length / (runs.length * rounds), `${method.label}, ${target}`);
        const figures = await this.#once(target, method, cache, sinks);
        samples.push({ ...figures, target, cache, method: method.name, round });
      }
    }
    return this.#report(sha256, samples);
  }

  #report(sha256: string, samples: readonly Sample[]): Comparison {
    const rows = rowsOf(samples, this.#traced);
    const { given, size, tooSmall } = this.input;
    return {
      tooSmall,
      leastBytes: LEAST_BYTES,
      file: { path: given, bytes: size, sha256 },
      machine: machine(),
      rounds: tooSmall ? 0 : this.#plan.rounds,
      rows,
      refusals: this.#refusals,
      choices: choose(rows, samples),
      notes: this.#notes,
      samples,
    };
  }

  /** Runs each method once and verifies every byte. Leaves out methods that cannot run here. */
  async #verify(sha256: string): Promise<{ target: TargetName; method: Method }[]> {
    let sinks = await this.#sinks(true);
    const trace = join(this.#session.folder, "trace");
    const prefix = tracer(trace);
    if (prefix === undefined) {
      this.#notes.push("Calls of runtime and library were not counted: strace(1) is missing.");
    }
    const wanted = this.#plan.targets.flatMap((target) =>
      METHODS.filter(({ name, targets }) =>
        targets.includes(target) &&
        (this.#plan.methods.length === 0 || this.#plan.methods.includes(name))
      ).map((method) => ({ target, method }))
    );
    const able: typeof wanted = [];
    for (const [index, { target, method }] of wanted.entries()) {
      this.#progress(index / wanted.length, `checking ${method.label}, ${target}`);
      const traced = method.move === undefined && prefix !== undefined;
      const answer = await this.#part(target, method, sinks, traced ? prefix : [], sha256);
      if ("error" in answer) {
        // A changed file would fail any method.
        this.input.checkUnchanged();
        this.#refusals.push({ target, method: method.name, reason: answer.error.message });
        // The receiver may not have seen this run, and would then be one run behind.
        if (target !== "file") sinks = await this.#sinks(true);
        continue;
      }
      if (traced) this.#traced.set(`${target} ${method.name}`, readTrace(trace));
      able.push({ target, method });
    }
    if (able.length === 0) throw new Error("Cannot compare: no method works here");
    return able;
  }

  async #caches(): Promise<CacheState[]> {
    const { path, size } = this.input;
    const caches: CacheState[] = [];
    for (const cache of this.#plan.caches) {
      if (cache === "cold" && !(await drop(path, size))) {
        this.#notes.push("Nothing was measured cold: this file system keeps files in memory.");
      } else caches.push(cache);
    }
    if (cachedBytes(path) === null) {
      this.#notes.push(
        "The growth of the page cache is unknown: the kernel reports it since Linux 6.5.",
      );
    }
    return caches;
  }

  /** Starts only the receivers that the targets need. */
  async #sinks(hash: boolean): Promise<Sinks> {
    const { targets } = this.#plan;
    const count = targets.includes("two") ? 2 : targets.includes("socket") ? 1 : 0;
    const started = Array.from({ length: count }, () => this.#session.sink({ hash }));
    const fifo = join(this.#session.folder, `pipe-${this.#outputs++}`);
    if (targets.includes("pipe")) {
      // The second pipe is for the warm-up file: see `warmUpOutput` in part.ts.
      for (const path of [fifo, `${fifo}-first`]) {
        const made = spawnSync("mkfifo", [path]);
        if (made.status !== 0) throw new Error("Cannot make a named pipe: mkfifo(1) failed");
        started.push(this.#session.sink({ hash, fifo: path }));
      }
    }
    const sinks = await Promise.all(started);
    return { sockets: sinks.slice(0, count), pipes: sinks.slice(count), fifo };
  }

  async #once(target: TargetName, method: Method, cache: CacheState, sinks: Sinks) {
    const { path, size } = this.input;
    this.input.checkUnchanged();
    if (cache === "warm") warm(path, size);
    else await drop(path, size);
    const before = cachedBytes(path) ?? 0;
    const figures = await this.#part(target, method, sinks, [], undefined);
    if ("error" in figures) {
      throw new Error(`Cannot continue with ${method.label}: ${figures.error.message}`);
    }
    const growth = Math.max(0, (cachedBytes(path) ?? 0) - before);
    return { ...figures, cacheGrowth: growth + figures.written };
  }

  /** Runs one child, and checks the bytes that arrived. */
  async #part(
    target: TargetName,
    method: Method,
    sinks: Sinks,
    prefix: readonly string[],
    sha256: string | undefined,
  ): Promise<(Figures & { written: number }) | { error: { message: string } }> {
    const { path, size } = this.input;
    const { sockets, pipes } = sinks;
    const ends = { socket: sockets.slice(0, 1), two: sockets, pipe: pipes.slice(0, 1), file: [] };
    const first = target === "pipe" ? pipes.slice(1) : ends[target];
    const output = join(this.#session.folder, `output-${this.#outputs++}`);
    const job: Job = {
      method: method.name,
      target,
      path,
      size,
      ports: ends[target].map(({ port }) => port).filter((port) => port > 0),
      output: target === "pipe" ? sinks.fifo : output,
      warmUp: this.#warmUp,
    };
    let answer: Figures | { error: { message: string } };
    try {
      answer = JSON.parse(await this.#session.run("compare-part", job, prefix));
      const failed = "error" in answer;
      if (failed) return answer as { error: { message: string } };
      if (method.library !== undefined) await Promise.all(first.map((end) => end.next()));
      const drained = await Promise.all(ends[target].map((end) => end.next()));
      for (const { bytes, sha256: found } of drained) {
        if (bytes !== size || (sha256 !== undefined && found !== sha256)) {
          throw new Error(`${method.label} delivered bytes that differ from the file`);
        }
      }
      if (target === "file" && sha256 !== undefined && checksum(output) !== sha256) {
        throw new Error(`${method.label} wrote bytes that differ from the file`);
      }
      return { ...answer as Figures, written: target === "file" ? cachedBytes(output) ?? 0 : 0 };
    } finally {
      rmSync(output, { force: true });
      rmSync(`${output}-first`, { force: true });
    }
  }
}
