/** The rounds of a broadcast: everybody gets a chunk, and those that keep up are waited for. @module */

import { SlowTargetError } from "../../errors.ts";
import type { Flow } from "../flow.ts";
import { Bell } from "./bell.ts";
import { Branch } from "./branch.ts";
import type { BranchEvents, BroadcastOptions, Feed } from "./job.ts";
import { Patience } from "./patience.ts";
import { Roster } from "./roster.ts";
import { Waiting } from "./waiting.ts";

/** Bytes that go out before other events of the loop get their turn. */
const TURN = 2 * 1024 * 1024;

/** Most bytes of a chunk; so much is asked of the page cache at once. */
const CHUNK = 512 * 1024;

/** How long a target may take nothing of the last chunks before it is given up, in milliseconds. */
const LAST_MS = 1000;

/** One broadcast. */
export class Cast implements BranchEvents {
  /** Who takes part. */
  readonly roster: Roster;
  readonly #feed: Feed;
  readonly #flow: Flow;
  readonly #options: BroadcastOptions;
  readonly #slowMs: number;
  /** Those that are waited for. */
  readonly #pending = new Waiting();
  /** Those that have something to do, whether they are waited for or not. */
  readonly #busy = new Set<Branch>();
  readonly #bell = new Bell();
  /** How many are not. */
  #lagging = 0;
  #failure: Error | undefined;
  #over = false;
  #sourceReady: Promise<void> | null = null;
  #sourceWaits = false;

  constructor(feed: Feed, flow: Flow, options: BroadcastOptions) {
    this.#feed = feed;
    this.#flow = flow;
    this.#options = options;
    const { slow = "block", slowMs = slow === "drop" ? 250 : 1000 } = options;
    this.#slowMs = slow === "block" ? Infinity : slowMs;
    this.roster = new Roster({
      total: feed.total,
      branchOf: (outlet) => new Branch(outlet, new Patience(this.#slowMs, performance.now()), this),
      came: () => this.#bell.ring(),
      gone: (branch) => this.#gone(branch),
      onTargetEnd: options.onTargetEnd,
    });
    flow.whenAborted(() => this.#bell.ring());
  }

  /** Whether the end has come. */
  get over(): boolean {
    return this.#over;
  }

  /** Runs to the end of the source; rejects when the source fails or the signal fires. */
  async run(): Promise<void> {
    try {
      await this.#opened();
      while (await this.#sourced()) {
        await this.#settle();
        if (await this.#round()) break;
      }
      await this.#last();
      this.roster.endAll();
    } catch (error) {
      this.roster.endAll(error as Error);
      throw error;
    } finally {
      this.#over = true;
      await this.roster.settled();
      await this.#feed.close();
      this.#sourceReady?.catch(() => {});
    }
  }

  room(branch: Branch): void {
    if (branch.lagging && !branch.busy) {
      branch.lagging = false;
      this.#lagging--;
    }
    if (!branch.busy) this.#busy.delete(branch);
    if (!branch.full) this.#pending.delete(branch);
    if (!branch.busy || this.#pending.size === 0 || this.#othersWait()) this.#bell.ring();
  }

  failed(branch: Branch, error: Error): void {
    this.roster.failed(branch, error);
  }

  short(): void {
    this.#failure ??= this.#feed.short?.();
    this.#bell.ring();
  }

  #gone(branch: Branch): void {
    this.#busy.delete(branch);
    this.#pending.delete(branch);
    if (branch.lagging) this.#lagging--;
    this.#bell.ring();
  }

  /** The first targets begin together, at the first byte. */
  async #opened(): Promise<void> {
    const since = performance.now();
    while (this.roster.opening > 0) {
      this.#check();
      const left = since + this.#slowMs - performance.now();
      if (left <= 0) return;
      await this.#bell.wait(left);
    }
  }

  /** Waits until the source has something; false when there is nobody left to give it to. */
  async #sourced(): Promise<boolean> {
    const { empty = "end" } = this.#options;
    for (;;) {
      this.#check();
      if (this.roster.size === 0 && empty !== "drop") {
        if (empty === "end" && this.roster.opening === 0) return false;
        await this.#bell.wait();
        continue;
      }
      if (this.#sourceReady === null) this.#awaitSource();
      if (!this.#sourceWaits) {
        this.#sourceReady = null;
        return true;
      }
      await this.#bell.wait();
    }
  }

  #awaitSource(): void {
    this.#sourceWaits = true;
    const woken = () => {
      this.#sourceWaits = false;
      this.#bell.ring();
    };
    this.#sourceReady = this.#feed.ready().then(woken, (error) => {
      this.#failure ??= error;
      woken();
    });
  }

  /** Waits for room; for each of those that hold up others only as long as its patience lasts. */
  async #settle(): Promise<void> {
    const { live } = this.#feed;
    for (;;) {
      this.#check();
      const count = this.roster.size;
      // A file has time until somebody can take more of it.
      if (this.#pending.size === 0 && (live || this.#lagging < count || count === 0)) break;
      if (this.#othersWait()) this.#pending.hold();
      await this.#bell.wait(this.#pending.least());
      for (const branch of this.#pending.expired()) this.#slow(branch);
    }
    this.#pending.release();
  }

  /**
   * Whether half of those that are not waited for have nothing to do: all of them would be too many,
   * for one that is slow, too, works at its queue for long. A live source waits as well.
   */
  #othersWait(): boolean {
    const count = this.roster.size;
    const idle = count - this.#busy.size;
    let others = count - this.#pending.size - this.#lagging;
    for (const each of this.#busy) if (each.queue.apart && !each.full && !each.lagging) others--;
    return idle * 2 >= others && (idle > 0 || this.#feed.live);
  }

  #slow(branch: Branch): void {
    if (this.#options.slow === "disconnect") {
      const { bytes: bytesMoved, outlet } = branch;
      this.failed(branch, new SlowTargetError({ bytesMoved, slowMs: this.#slowMs }));
      outlet.disconnect();
      return;
    }
    branch.lagging = true;
    branch.skip();
    this.#lagging++;
  }

  /** Gives everybody the next chunk; true at the end of the source. */
  async #round(): Promise<boolean> {
    const flow = this.#flow;
    const allowed = flow.allowance(this.#options.chunkSize ?? CHUNK);
    if (allowed === 0) {
      await this.#bell.wait(flow.pauseMs());
      return false;
    }
    const chunk = this.#feed.take(allowed);
    if (chunk === "end") return true;
    if (chunk === null) return false;
    const branches = this.roster.branches;
    // Those that take bytes read them out of the pipe from which the others get their pages.
    branches.sort((a, b) => Number(b.splices) - Number(a.splices));
    let since = 0;
    for (const branch of branches) {
      if (branch.over) continue;
      // Full in spite of that: it has just come to lag, or the event loop had a turn.
      if (branch.lagging || branch.full) {
        branch.dropped += chunk.length;
        continue;
      }
      const before = branch.bytes;
      branch.offer(chunk);
      if (branch.busy && !branch.over) this.#busy.add(branch);
      if (branch.full && !branch.over) this.#pending.add(branch);
      since += branch.bytes - before;
      if (since < TURN) continue;
      since = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    chunk.settle();
    this.#pending.advanced(chunk.length);
    flow.moved(chunk.length, chunk.method);
    if (since > 0) await new Promise((resolve) => setImmediate(resolve));
    return false;
  }

  /** Lets go of each once it has everything, or takes nothing any more. */
  async #last(): Promise<void> {
    const patience = Math.max(this.#slowMs, LAST_MS);
    let since = performance.now();
    let seen = new Map(this.roster.branches.map((branch) => [branch, branch.bytes]));
    for (;;) {
      this.#check();
      const { branches } = this.roster;
      for (const branch of branches) if (!branch.busy) this.roster.completed(branch);
      if (this.roster.size === 0) return;
      const left = since + patience - performance.now();
      if (left > 0) {
        await this.#bell.wait(left);
        continue;
      }
      for (const branch of branches) {
        if (branch.queue.apart && !branch.lagging && !branch.over) this.#slow(branch);
        if (branch.over || seen.get(branch) !== branch.bytes) continue;
        if (this.#options.slow === "disconnect") this.#slow(branch);
        else this.roster.completed(branch);
      }
      seen = new Map(branches.map((branch) => [branch, branch.bytes]));
      since = performance.now();
    }
  }

  #check(): void {
    if (this.#flow.aborted) throw this.#flow.abortError();
    if (this.#failure !== undefined) throw this.#failure;
  }
}
