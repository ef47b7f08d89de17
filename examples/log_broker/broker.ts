/** What all connections share: topics, groups, offsets and the numbers of producers. @module */

import { randomInt } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Code, Refusal } from "./errors.ts";
import { Group } from "./groups/group.ts";
import { OffsetStore } from "./groups/offset_store.ts";
import { type LogOptions, Partition } from "./log/partition.ts";

/** Settings of a broker. */
export interface BrokerOptions extends LogOptions {
  readonly folder: string;
  /** Partitions of a new topic. */
  readonly partitions: number;
  /** Milliseconds between two syncs, if not every batch is synced. */
  readonly syncMs: number;
  readonly retentionCheckMs: number;
}

const MOST_PARTITIONS = 10_000;

/** A broker; there is one per folder. */
export class Broker {
  readonly topics: Map<string, Partition[]> = new Map();
  readonly offsets: OffsetStore;
  readonly #options: BrokerOptions;
  readonly #groups: Map<string, Group> = new Map();
  readonly #timers: NodeJS.Timeout[];
  #partitions = 0;

  /** Opens or creates the folder. */
  constructor(options: BrokerOptions) {
    this.#options = options;
    const { folder, syncAlways, syncMs, retentionCheckMs } = options;
    mkdirSync(join(folder, "topics"), { recursive: true });
    lock(join(folder, "broker.pid"));
    for (const name of readdirSync(join(folder, "topics"))) {
      const count = readdirSync(join(folder, "topics", name)).length;
      this.topics.set(name, Array.from({ length: count }, (_, i) => this.#open(name, i)));
    }
    this.offsets = new OffsetStore(join(folder, "offsets.jsonl"), syncAlways);
    const report = (error: Error) => console.error(error.message, error.cause ?? "");
    const sync = () =>
      Promise.all([...this.#all().map((each) => each.sync()), this.offsets.sync()]);
    const retain = () => Promise.all(this.#all().map((each) => each.retain(Date.now())));
    this.#timers = [
      setInterval(() => void sync().catch(report), syncAlways ? 2 ** 30 : syncMs),
      setInterval(() => void retain().catch(report), retentionCheckMs),
    ];
  }

  /** A partition that exists. */
  partition(topic: string, index: number): Partition {
    const found = this.topics.get(topic)?.[index];
    if (found === undefined) {
      throw new Refusal(Code.UNKNOWN_TOPIC_OR_PARTITION, `${topic} ${index}`);
    }
    return found;
  }

  /** The partitions of a topic, which is made at its first use. */
  topic(name: string): Partition[] {
    const found = this.topics.get(name);
    if (found !== undefined) return found;
    if (!/^[\w.-]{1,249}$/.test(name) || /^\.\.?$/.test(name)) {
      throw new Refusal(Code.INVALID_TOPIC, name);
    }
    const { partitions: count, folder } = this.#options;
    if (this.#partitions + count > MOST_PARTITIONS) {
      throw new Refusal(Code.POLICY_VIOLATION, `more than ${MOST_PARTITIONS} partitions`);
    }
    try {
      const made = Array.from({ length: count }, (_, i) => this.#open(name, i));
      this.topics.set(name, made);
      return made;
    } catch (error) {
      rmSync(join(folder, "topics", name), { recursive: true, force: true });
      throw new Refusal(Code.STORAGE_ERROR, `Cannot create ${name}`, error);
    }
  }

  /** A group of consumers, which is made at its first use. */
  group(name: string): Group {
    if (name === "") throw new Refusal(Code.INVALID_GROUP_ID, "an empty name");
    let group = this.#groups.get(name);
    if (group === undefined) this.#groups.set(name, group = new Group());
    return group;
  }

  /** A number for a producer: 48 random bits, so that no restart gives one a second time. */
  newProducer(): number {
    return randomInt(2 ** 48 - 1);
  }

  /** Finishes what is being written, and closes all files. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const group of this.#groups.values()) group.close();
    await Promise.all([...this.#all().map((each) => each.close()), this.offsets.close()]);
    rmSync(join(this.#options.folder, "broker.pid"), { force: true });
  }

  #all(): Partition[] {
    return [...this.topics.values()].flat();
  }

  #open(name: string, index: number): Partition {
    this.#partitions++;
    return new Partition(join(this.#options.folder, "topics", name, String(index)), this.#options);
  }
}

/** Refuses a folder that another broker uses: two writers would destroy the log. */
function lock(path: string): void {
  for (;;) {
    try {
      return writeFileSync(path, String(process.pid), { flag: "wx" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const owner = Number(readFileSync(path, "utf8"));
    // In a container, a broker that was killed had the same number.
    if (owner > 0 && owner !== process.pid && existsSync(`/proc/${owner}`)) {
      throw new Error(`Process ${owner} uses this folder (if it is no broker, remove ${path})`);
    }
    rmSync(path, { force: true });
  }
}
