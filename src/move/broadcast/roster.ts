/** Who takes part in a broadcast, from the moment of being named to the report. @module */

import type { RuntimeTarget } from "../runtime_ends.ts";
import type { TransferTarget } from "../transfer.ts";
import type { Branch } from "./branch.ts";
import type { TargetReport } from "./job.ts";
import { openOutlet, type Outlet } from "./outlet.ts";

/** A target that is identified: what it is, and what tells it from others. */
export interface Candidate {
  readonly target: TransferTarget;
  readonly place: RuntimeTarget | number;
  readonly key: unknown;
}

/** One who takes part. */
interface Member extends Candidate {
  /** Absent while it is being opened. */
  branch?: Branch;
  /** Whether it was there at the start. */
  readonly first: boolean;
  readonly done: PromiseWithResolvers<TargetReport>;
}

/** What a roster needs of its owner. */
export interface RosterOptions {
  /** Bytes that will be sent, or `Infinity`. */
  readonly total: number;
  /** Makes a branch of an opened target. */
  branchOf(outlet: Outlet): Branch;
  /** Somebody has come, or has not been able to. */
  came(): void;
  /** A branch has been stopped. */
  gone(branch: Branch): void;
  readonly onTargetEnd?: ((report: TargetReport) => void) | undefined;
}

/** The targets of one broadcast. */
export class Roster {
  /** Of those that were there at the start, and of those that were there at the end. */
  readonly reports: TargetReport[] = [];
  /** Targets that are being opened. */
  opening = 0;
  readonly #options: RosterOptions;
  readonly #members = new Map<unknown, Member>();
  readonly #byBranch = new Map<Branch, Member>();
  readonly #ending = new Set<Promise<void>>();

  constructor(options: RosterOptions) {
    this.#options = options;
  }

  /** Those that are open. */
  get branches(): Branch[] {
    return [...this.#byBranch.keys()];
  }

  /** How many there are of {@linkcode branches}. */
  get size(): number {
    return this.#byBranch.size;
  }

  /** Whether a target with this key takes part. */
  has(key: unknown): boolean {
    return this.#members.has(key);
  }

  /** Adds a target whose key is new. */
  add(candidate: Candidate, first: boolean): void {
    const member: Member = { ...candidate, first, done: Promise.withResolvers<TargetReport>() };
    this.#members.set(member.key, member);
    this.opening++;
    openOutlet(member.place, this.#options.total).then((outlet) => {
      this.opening--;
      if (this.#members.get(member.key) !== member) return outlet.release();
      const branch = this.#options.branchOf(outlet);
      member.branch = branch;
      this.#byBranch.set(branch, member);
    }, (error) => {
      this.opening--;
      this.#end(member, "failed", error);
    }).finally(() => this.#options.came());
  }

  /** Takes a target out, at the byte that it has reached. */
  remove(key: unknown): Promise<TargetReport> | undefined {
    const member = this.#members.get(key);
    if (member === undefined) return undefined;
    this.#end(member, "removed");
    return member.done.promise;
  }

  /** A target can take nothing more. */
  failed(branch: Branch, error: Error): void {
    const member = this.#byBranch.get(branch);
    if (member !== undefined) this.#end(member, "failed", error);
  }

  /** A target has got all that it will get. */
  completed(branch: Branch): void {
    const member = this.#byBranch.get(branch);
    if (member !== undefined) this.#end(member, "complete");
  }

  /** The stream is complete, or has broken off with an error. */
  endAll(error?: Error): void {
    for (const member of [...this.#members.values()]) {
      if (error === undefined) this.#end(member, "complete");
      else this.#end(member, "failed", error, true);
    }
  }

  /** Settles once nothing is under way on anybody's behalf. */
  async settled(): Promise<void> {
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  #end(member: Member, outcome: TargetReport["outcome"], error?: Error, cut = false): void {
    const { key, branch } = member;
    if (this.#members.get(key) !== member) return;
    this.#members.delete(key);
    if (branch !== undefined) {
      this.#byBranch.delete(branch);
      branch.stop();
      if (outcome === "complete") branch.outlet.finish();
      else if (cut) branch.outlet.cut();
      this.#options.gone(branch);
    }
    const ending = this.#conclude(member, outcome, error);
    this.#ending.add(ending);
    ending.then(() => this.#ending.delete(ending));
  }

  async #conclude(
    { branch, target, first, done }: Member,
    outcome: TargetReport["outcome"],
    error?: Error,
  ): Promise<void> {
    await branch?.settled;
    const { bytes = 0, dropped = 0, method = "none", rest = 0 } = branch ?? {};
    const missed = outcome === "complete" ? dropped + rest : dropped;
    const report: TargetReport = { target, outcome, bytes, dropped: missed, method, error };
    if (first || outcome === "complete") this.reports.push(report);
    done.resolve(report);
    const { onTargetEnd } = this.#options;
    if (onTargetEnd !== undefined) queueMicrotask(() => onTargetEnd(report));
  }
}
