/** The rounds of a broadcast: each target gets a chunk; the loop waits for slow ones. @module */

import { SlowTargetError } from "../../errors.ts";
import type { TransferProgress } from "../engine/progress.ts";
import { Notify } from "./notify.ts";
import { TargetQueue, type TargetQueueEvents } from "./target_queue.ts";
import type { BroadcastOptions, ChunkSource } from "./types.ts";
import { StallBudget } from "./stall_budget.ts";
import { TargetRegistry } from "./target_registry.ts";
import { BackpressureTracker } from "./backpressure.ts";

/** Bytes sent before other events of the loop get their turn. */
const TURN = 2 * 1024 * 1024;

/** Maximum bytes of a chunk, and of one check of the page cache. */
const CHUNK = 512 * 1024;

/** Milliseconds without progress at the end after which a target is given up. */
const LAST_MS = 1000;

/** One broadcast. */
export class BroadcastLoop implements TargetQueueEvents {
  /** The targets. */
  readonly registry: TargetRegistry;
  readonly #source: ChunkSource;
  readonly #progress: TransferProgress;
  readonly #options: BroadcastOptions;
  readonly #slowMs: number;
  /** Targets that the loop waits for. */
  readonly #pending = new BackpressureTracker();
  /** Targets with unsent bytes, whether the loop waits for them or not. */
  readonly #busy = new Set<TargetQueue>();
  readonly #notify = new Notify();
  /** Number of lagging targets, which the loop does not wait for. */
  #lagging = 0;
  #failure: Error | undefined;
  #over = false;
  #sourceReady: Promise<void> | null = null;
  #sourceWaits = false;

  constructor(source: ChunkSource, progress: TransferProgress, options: BroadcastOptions) {
    this.#source = source;
    this.#progress = progress;
    this.#options = options;
    const { slow = "block", slowMs = slow === "drop" ? 250 : 1000 } = options;
    this.#slowMs = slow === "block" ? Infinity : slowMs;
    this.registry = new TargetRegistry({
      total: source.total,
      queueOf: (writer) =>
        new TargetQueue(writer, new StallBudget(this.#slowMs, performance.now()), this),
      came: () => this.#notify.ring(),
      gone: (target) => this.#gone(target),
      onTargetEnd: options.onTargetEnd,
    });
    progress.whenAborted(() => this.#notify.ring());
  }

  /** Whether the broadcast has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** Runs to the end of the source; rejects if the source fails or the signal fires. */
  async run(): Promise<void> {
    try {
      await this.#opened();
      while (await this.#sourced()) {
        await this.#settle();
        if (await this.#round()) break;
      }
      await this.#last();
      this.registry.endAll();
    } catch (error) {
      this.registry.endAll(error as Error);
      throw error;
    } finally {
      this.#over = true;
      await this.registry.settled();
      await this.#source.close();
      this.#sourceReady?.catch(() => {});
    }
  }

  room(target: TargetQueue): void {
    if (target.lagging && !target.busy) {
      target.lagging = false;
      this.#lagging--;
    }
    if (!target.busy) this.#busy.delete(target);
    if (!target.full) this.#pending.delete(target);
    if (!target.busy || this.#pending.size === 0 || this.#othersWait()) this.#notify.ring();
  }

  failed(target: TargetQueue, error: Error): void {
    this.registry.failed(target, error);
  }

  short(): void {
    this.#failure ??= this.#source.short?.();
    this.#notify.ring();
  }

  #gone(target: TargetQueue): void {
    this.#busy.delete(target);
    this.#pending.delete(target);
    if (target.lagging) this.#lagging--;
    this.#notify.ring();
  }

  /** Lets the first targets start together, at the first byte. */
  async #opened(): Promise<void> {
    const since = performance.now();
    while (this.registry.opening > 0) {
      this.#check();
      const left = since + this.#slowMs - performance.now();
      if (left <= 0) return;
      await this.#notify.wait(left);
    }
  }

  /** Waits for data from the source; false if no target is left. */
  async #sourced(): Promise<boolean> {
    const { empty = "end" } = this.#options;
    for (;;) {
      this.#check();
      if (this.registry.size === 0 && empty !== "drop") {
        if (empty === "end" && this.registry.opening === 0) return false;
        await this.#notify.wait();
        continue;
      }
      if (this.#sourceReady === null) this.#awaitSource();
      if (!this.#sourceWaits) {
        this.#sourceReady = null;
        return true;
      }
      await this.#notify.wait();
    }
  }

  #awaitSource(): void {
    this.#sourceWaits = true;
    const woken = () => {
      this.#sourceWaits = false;
      this.#notify.ring();
    };
    const failed = (error: Error) => void (this.#failure ??= error);
    this.#sourceReady = this.#source.ready().catch(failed).then(woken);
  }

  /** Waits for room; for a target that holds up others, only while its stall budget lasts. */
  async #settle(): Promise<void> {
    const { live } = this.#source;
    for (;;) {
      this.#check();
      const count = this.registry.size;
      // A file can wait until some target takes more of it.
      if (this.#pending.size === 0 && (live || this.#lagging < count || count === 0)) break;
      if (this.#othersWait()) this.#pending.hold();
      await this.#notify.wait(this.#pending.least());
      for (const target of this.#pending.expired()) this.#slow(target);
    }
    this.#pending.release();
  }

  /**
   * Whether half of the targets that the loop does not wait for are idle. All would be too many,
   * because a slow target also works on its queue for long. A live source waits too.
   */
  #othersWait(): boolean {
    const count = this.registry.size;
    const idle = count - this.#busy.size;
    let others = count - this.#pending.size - this.#lagging;
    for (const each of this.#busy) if (each.queue.apart && !each.full && !each.lagging) others--;
    return idle * 2 >= others && (idle > 0 || this.#source.live);
  }

  #slow(target: TargetQueue): void {
    if (this.#options.slow === "disconnect") {
      const { bytes: bytesMoved, targetWriter } = target;
      this.failed(target, new SlowTargetError({ bytesMoved, slowMs: this.#slowMs }));
      targetWriter.disconnect();
      return;
    }
    target.lagging = true;
    target.skip();
    this.#lagging++;
  }

  /** Gives each target the next chunk; true at the end of the source. */
  async #round(): Promise<boolean> {
    const progress = this.#progress;
    const allowed = progress.allowance(this.#options.chunkSize ?? CHUNK);
    if (allowed === 0) {
      await this.#notify.wait(progress.pauseMs());
      return false;
    }
    const chunk = this.#source.take(allowed);
    if (chunk === "end") return true;
    if (chunk === null) return false;
    const targetQueues = this.registry.targetQueues;
    // Targets that take bytes read them from the pipe from which the others get their pages, so
    // they come last.
    targetQueues.sort((a, b) => Number(b.splices) - Number(a.splices));
    let since = 0;
    for (const target of targetQueues) {
      if (target.over) continue;
      // Still full: it has just started to lag, or the event loop had a turn.
      if (target.lagging || target.full) {
        target.dropped += chunk.length;
        continue;
      }
      const before = target.bytes;
      target.offer(chunk);
      if (target.busy && !target.over) this.#busy.add(target);
      if (target.full && !target.over) this.#pending.add(target);
      since += target.bytes - before;
      if (since < TURN) continue;
      since = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    chunk.settle();
    this.#pending.advanced(chunk.length);
    progress.moved(chunk.length, chunk.method);
    if (since > 0) await new Promise((resolve) => setImmediate(resolve));
    return false;
  }

  /** Releases each target once it has everything, or takes no more. */
  async #last(): Promise<void> {
    const stallBudget = Math.max(this.#slowMs, LAST_MS);
    let since = performance.now();
    let seen = new Map(this.registry.targetQueues.map((target) => [target, target.bytes]));
    for (;;) {
      this.#check();
      const { targetQueues } = this.registry;
      for (const target of targetQueues) if (!target.busy) this.registry.completed(target);
      if (this.registry.size === 0) return;
      const left = since + stallBudget - performance.now();
      if (left > 0) {
        await this.#notify.wait(left);
        continue;
      }
      for (const target of targetQueues) {
        if (target.queue.apart && !target.lagging && !target.over) this.#slow(target);
        if (target.over || seen.get(target) !== target.bytes) continue;
        if (this.#options.slow === "disconnect") this.#slow(target);
        else this.registry.completed(target);
      }
      seen = new Map(targetQueues.map((target) => [target, target.bytes]));
      since = performance.now();
    }
  }

  #check(): void {
    if (this.#progress.aborted) throw this.#progress.abortError();
    if (this.#failure !== undefined) throw this.#failure;
  }
}
