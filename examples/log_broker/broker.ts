/** What all connections share: topics, groups, offsets and the numbers of producers. @module */

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
  /** Milliseconds between two syncs. */
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
    this.offsets = new OffsetStore(join(folder, "commits.jsonl"), syncAlways);
    const report = (error: Error) => console.error(error.message, error.cause ?? "");
    const every = (ms: number, tasks: () => Promise<void>[]) =>
      setInterval(() => void Promise.all(tasks()).catch(report), ms);
    this.#timers = [
      every(syncMs, () => [this.offsets.sync(), ...this.#all().map((each) => each.sync())]),
      every(retentionCheckMs, () => this.#all().map((each) => each.retain(Date.now()))),
    ];
  }

  /** A partition that exists. */
  partition(topic: string, index: number): Partition {
    const found = this.topics.get(topic)?.[index];
    if (found === undefined) throw new Refusal(Code.UNKNOWN_TOPIC_OR_PARTITION, topic);
    return found;
  }

  /** The partitions of a topic, which is made at its first use. */
  topic(name: string): Partition[] {
    const found = this.topics.get(name);
    if (found !== undefined) return found;
    if (!/^(?!\.\.?$)[\w.-]{1,249}$/.test(name)) throw new Refusal(Code.INVALID_TOPIC, name);
    const { partitions: count, folder } = this.#options;
    if (this.#all().length + count > MOST_PARTITIONS) {
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

  /** Finishes what is being written, and writes it to the disk. The process ends afterwards. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all([...this.#all().map((each) => each.close()), this.offsets.sync()]);
    rmSync(join(this.#options.folder, "broker.pid"), { force: true });
  }

  #all(): Partition[] {
    return [...this.topics.values()].flat();
  }

  #open(name: string, index: number): Partition {
    return new Partition(join(this.#options.folder, "topics", name, String(index)), this.#options);
  }
}

/** Refuses a folder that another broker uses: two writers would destroy the log. */
function lock(path: string): void {
  if (existsSync(path)) {
    const owner = Number(readFileSync(path, "utf8"));
    // In a container, a broker that was killed had the same number.
    if (owner > 0 && owner !== process.pid && existsSync(`/proc/${owner}`)) {
      throw new Error(`Process ${owner} uses this folder (if it is no broker, remove ${path})`);
    }
    rmSync(path);
  }
  writeFileSync(path, String(process.pid), { flag: "wx" });
}
