/** Chooses a method for each target and cache state, as far as the rounds show a difference. @module */

import { methodNamed } from "./methods.ts";
import { type Certainty, certainty, compareCosts, FEWEST_ROUNDS } from "./ratio.ts";
import { figure } from "./summary.ts";
import type { Choice, Difference, Ratio, Row, Sample } from "./types.ts";

/** Methods whose median takes up to this many times that of the fastest are considered. */
const CONSIDERED = 1.25;

/** Chooses a method for each target and cache state. */
export function choose(rows: readonly Row[], samples: readonly Sample[]): Choice[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `${row.target} ${row.cache}`;
    groups.set(key, [...groups.get(key) ?? [], row]);
  }
  return [...groups.values()].map((group) => new Group(group, samples).choice());
}

/** The methods for one target and cache state. */
class Group {
  readonly #rows: readonly Row[];
  readonly #rounds: number;
  readonly #sure: Certainty | null;
  readonly #cpu = new Map<string, number[]>();
  readonly #time = new Map<string, number[]>();
  #explained = false;

  constructor(rows: readonly Row[], samples: readonly Sample[]) {
    this.#rows = rows;
    const { rounds, target, cache } = rows[0]!;
    this.#rounds = rounds;
    this.#sure = certainty(rounds);
    for (const { method } of rows) {
      const own = samples.filter((sample) =>
        sample.method === method && sample.target === target && sample.cache === cache
      );
      this.#cpu.set(method, own.map(({ userMs, systemMs }) => userMs + systemMs));
      this.#time.set(method, own.map(({ ms }) => ms));
    }
  }

  choice(): Choice {
    const { target, cache } = this.#rows[0]!;
    const sure = this.#sure;
    const answer = (
      method: string | null,
      why: string,
      differences: readonly Difference[] = [],
    ): Choice => ({
      target,
      cache,
      method,
      why,
      confidence: sure?.confidence ?? null,
      differences,
      library: sure === null || differences.length === 0 ? [] : this.#library(sure),
    });
    if (sure === null) {
      const found = `${this.#rounds} ${this.#rounds === 1 ? "round is" : "rounds are"} too few`;
      return answer(null, `${found}; it takes at least ${FEWEST_ROUNDS}`);
    }
    if (this.#rows.length === 1) return answer(null, "there is no other method to compare with");
    // Of the methods as fast as the fastest, or nearly so, the one with the least CPU time.
    const fastest = this.#rows.reduce((a, b) => b.ms.median < a.ms.median ? b : a);
    const near = this.#rows.filter(({ method, ms }) =>
      ms.median <= fastest.ms.median * CONSIDERED ||
      !this.#beside(method, fastest.method, sure).time.shown
    );
    const best = near.reduce((a, b) => b.cpuPerGb.median < a.cpuPerGb.median ? b : a);
    const differences = this.#rows.filter((row) => row !== best).map((row) =>
      this.#beside(best.method, row.method, sure)
    );
    if (!differences.some(({ cpu, time }) => less(cpu) || less(time))) {
      return answer(null, `no difference shown in ${this.#rounds} rounds`, differences);
    }
    return answer(best.method, this.#reasons(best, differences, sure).join("; "), differences);
  }

  #reasons(best: Row, differences: readonly Difference[], sure: Certainty): string[] {
    const name = labelOf(best.method);
    const reasons = [
      `${figure(best.cpuPerGb.median)} CPU-s/GB at ${figure(best.gbPerSecond.median)} GB/s`,
    ];
    // The stream, which most programs use, and the one that comes closest.
    const stream = differences.find(({ than }) => than === "stream");
    const closest = extreme(differences.filter(({ cpu }) => less(cpu)), ({ cpu }) => cpu.ratio);
    const beaten = [...new Set([stream, closest])]
      .filter((each) => each !== undefined && less(each.cpu)) as Difference[];
    if (beaten.length > 0) {
      const texts = beaten.map(({ cpu, than }, index) =>
        this.#times(cpu, `${index === 0 ? "the CPU" : "that"} of ${labelOf(than)}`, sure)
      );
      reasons.push(`it takes ${texts.join(" and ")}`);
    }
    const same = differences.filter(({ cpu }) => !cpu.shown).map(({ than }) => labelOf(than));
    if (same.length > 0) reasons.push(`no difference in CPU shown from ${same.join(", ")}`);
    const faster = extreme(differences.filter(({ time }) => more(time)), ({ time }) => time.ratio);
    const cheaper = extreme(differences.filter(({ cpu }) => more(cpu)), ({ cpu }) => cpu.ratio);
    for (const { than } of new Set([faster, cheaper].filter((each) => each !== undefined))) {
      const { time, cpu } = this.#beside(than, best.method, sure);
      reasons.push(
        `${labelOf(than)} takes ${this.#times(time, `the time of ${name}`, sure)} and ` +
          this.#times(cpu, "the CPU", sure),
      );
    }
    for (const { method, cpu } of this.#library(sure)) {
      if (method === best.method) continue;
      const text = cpu.shown
        ? ` takes ${this.#times(cpu, `the CPU of ${labelOf("stream")}`, sure)}`
        : `: no difference in CPU shown from ${labelOf("stream")}`;
      reasons.push(`${labelOf(method)}${text}`);
    }
    return reasons;
  }

  /** Compares sluice's own functions with the stream, also where a raw call costs less. */
  #library(sure: Certainty): Difference[] {
    if (!this.#cpu.has("stream")) return [];
    return this.#rows.filter(({ method }) => methodNamed(method).own === true)
      .map(({ method }) => this.#beside(method, "stream", sure));
  }

  #beside(method: string, than: string, sure: Certainty): Difference {
    return {
      method,
      than,
      cpu: compareCosts(this.#cpu.get(method)!, this.#cpu.get(than)!, sure),
      time: compareCosts(this.#time.get(method)!, this.#time.get(than)!, sure),
    };
  }

  #times({ ratio, low, high }: Ratio, what: string, { confidence }: Certainty): string {
    // The first interval explains the others.
    const how = this.#explained
      ? ""
      : ` in ${this.#rounds} rounds, ${Math.floor(confidence * 100)} % sure`;
    this.#explained = true;
    return `${figure(ratio)} times ${what} (${figure(low)} to ${figure(high)}${how})`;
  }
}

function extreme(
  differences: readonly Difference[],
  value: (each: Difference) => number,
): Difference | undefined {
  return [...differences].sort((a, b) => value(b) - value(a))[0];
}

/** Whether the method is shown to cost less. */
function less({ shown, ratio }: Ratio): boolean {
  return shown && ratio < 1;
}

/** Whether the method is shown to cost more. */
function more({ shown, ratio }: Ratio): boolean {
  return shown && ratio > 1;
}

function labelOf(name: string): string {
  return methodNamed(name).label;
}
