/** The targets of a broadcast, from their addition to their report. @module */

import type { RuntimeTarget } from "../engine/connection/sink.ts";
import type { TransferTarget } from "../transfer/transfer.ts";
import type { TargetQueue } from "./target_queue.ts";
import type { TargetReport } from "./types.ts";
import { openTargetWriter, type TargetWriter } from "./target_writer.ts";

/** An identified target: its kind, and the key that distinguishes it. */
export interface Candidate {
  readonly target: TransferTarget;
  readonly place: RuntimeTarget | number;
  readonly key: unknown;
}

/** A target that takes part. */
interface Member extends Candidate {
  /** Missing while the target is being opened. */
  targetQueue?: TargetQueue;
  /** Whether it was present at the start. */
  readonly first: boolean;
  readonly done: PromiseWithResolvers<TargetReport>;
}

/** Callbacks and settings of a registry. */
export interface TargetRegistryOptions {
  /** Bytes to send, or `Infinity`. */
  readonly total: number;
  /** Creates the target queue of an opened target. */
  queueOf(writer: TargetWriter): TargetQueue;
  /** A target has joined, or failed to. */
  came(): void;
  /** A target queue has been stopped. */
  gone(targetQueue: TargetQueue): void;
  readonly onTargetEnd?: ((report: TargetReport) => void) | undefined;
}

/** The targets of one broadcast. */
export class TargetRegistry {
  /** Reports of the targets present at the start, and of those present at the end. */
  readonly reports: TargetReport[] = [];
  /** Number of targets being opened. */
  opening = 0;
  readonly #options: TargetRegistryOptions;
  readonly #members = new Map<unknown, Member>();
  readonly #byQueue = new Map<TargetQueue, Member>();
  readonly #ending = new Set<Promise<void>>();

  constructor(options: TargetRegistryOptions) {
    this.#options = options;
  }

  /** The open targets. */
  get targetQueues(): TargetQueue[] {
    return [...this.#byQueue.keys()];
  }

  /** Number of {@linkcode TargetRegistry.targetQueues}. */
  get size(): number {
    return this.#byQueue.size;
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
    openTargetWriter(member.place, this.#options.total).then((writer) => {
      this.opening--;
      if (this.#members.get(member.key) !== member) return writer.release();
      const targetQueue = this.#options.queueOf(writer);
      member.targetQueue = targetQueue;
      this.#byQueue.set(targetQueue, member);
    }, (error) => {
      this.opening--;
      this.#end(member, "failed", error);
    }).finally(() => this.#options.came());
  }

  /** Removes a target at its current byte. */
  remove(key: unknown): Promise<TargetReport> | undefined {
    const member = this.#members.get(key);
    if (member === undefined) return undefined;
    this.#end(member, "removed");
    return member.done.promise;
  }

  /** A target can take no more. */
  failed(targetQueue: TargetQueue, error: Error): void {
    const member = this.#byQueue.get(targetQueue);
    if (member !== undefined) this.#end(member, "failed", error);
  }

  /** A target has taken everything that it will get. */
  completed(targetQueue: TargetQueue): void {
    const member = this.#byQueue.get(targetQueue);
    if (member !== undefined) this.#end(member, "complete");
  }

  /** The stream is complete, or was aborted by an error. */
  endAll(error?: Error): void {
    for (const member of [...this.#members.values()]) {
      if (error === undefined) this.#end(member, "complete");
      else this.#end(member, "failed", error);
    }
  }

  /** Settles once no work is in flight for any target. */
  async settled(): Promise<void> {
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  #end(member: Member, outcome: TargetReport["outcome"], error?: Error): void {
    const { key, targetQueue } = member;
    if (this.#members.get(key) !== member) return;
    this.#members.delete(key);
    if (targetQueue !== undefined) {
      this.#byQueue.delete(targetQueue);
      targetQueue.stop();
      try {
        if (outcome === "complete") targetQueue.targetWriter.finish(targetQueue.bytes);
      } catch (cause) {
        [outcome, error] = ["failed", cause as Error];
      }
      if (outcome === "failed") targetQueue.targetWriter.cut();
      this.#options.gone(targetQueue);
    }
    const ending = this.#conclude(member, outcome, error);
    this.#ending.add(ending);
    ending.then(() => this.#ending.delete(ending));
  }

  async #conclude(
    { targetQueue, target, first, done }: Member,
    outcome: TargetReport["outcome"],
    error?: Error,
  ): Promise<void> {
    await targetQueue?.settled;
    const { bytes = 0, dropped = 0, method = "none", rest = 0 } = targetQueue ?? {};
    const missed = outcome === "complete" ? dropped + rest : dropped;
    const report: TargetReport = { target, outcome, bytes, dropped: missed, method, error };
    if (first || outcome === "complete") this.reports.push(report);
    done.resolve(report);
    const { onTargetEnd } = this.#options;
    if (onTargetEnd !== undefined) queueMicrotask(() => onTargetEnd(report));
  }
}
