/** The offsets that groups have committed: a log of lines, whose last line for a key counts. @module */

import { Buffer } from "node:buffer";
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { Code, Refusal } from "../errors.ts";
import { append, sync, Turns } from "../log/files.ts";
import type { Topic } from "../wire.ts";

/** The file is written anew when this many lines are out of date. */
const MOST_OUTDATED = 100_000;

/** A committed offset. */
export interface Committed {
  readonly topic: string;
  readonly index: number;
  readonly offset: number;
  readonly metadata: string | null;
}

/** What a group has committed for a partition, as one line. */
type Line = readonly [group: string, committed: Committed];

/** All committed offsets. */
export class OffsetStore {
  readonly #path: string;
  readonly #syncAlways: boolean;
  readonly #turns: Turns = new Turns();
  readonly #lines: Map<string, Line> = new Map();
  #fd: number;
  #size = 0;
  #written = 0;

  /** Reads the file if it exists. */
  constructor(path: string, syncAlways: boolean) {
    [this.#path, this.#syncAlways] = [path, syncAlways];
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    // What follows the last line end was cut short by a kill, and never acknowledged.
    for (const line of text.split("\n").slice(0, -1)) this.#set(JSON.parse(line));
    this.#fd = this.#rewrite();
  }

  /** The offset that `group` has committed for a partition. */
  get(group: string, topic: string, index: number): Committed | undefined {
    return this.#lines.get(keyOf(group, topic, index))?.[1];
  }

  /** The partitions for which `group` has committed something, by topic. */
  partitions(group: string): Topic<number>[] {
    const own = [...this.#lines.values()].filter(([name]) => name === group);
    return [...Map.groupBy(own, ([, { topic }]) => topic)]
      .map(([name, lines]) => ({ name, parts: lines.map(([, { index }]) => index) }));
  }

  /** Stores offsets; all of them or none. */
  commit(group: string, offsets: readonly Committed[]): Promise<void> {
    return this.#turns.run(async () => {
      const lines = offsets.map((each): Line => [group, each]);
      const bytes = Buffer.from(lines.map(textOf).join(""));
      try {
        await append(this.#fd, this.#size, bytes);
        this.#size += bytes.length;
        if (this.#syncAlways) await this.sync();
      } catch (error) {
        throw new Refusal(Code.COORDINATOR_NOT_AVAILABLE, "Cannot store offsets", error);
      }
      for (const each of lines) this.#set(each);
      this.#written += lines.length;
      if (this.#written - this.#lines.size <= MOST_OUTDATED) return;
      closeSync(this.#fd);
      this.#fd = this.#rewrite();
    });
  }

  /** Writes it to the disk. */
  sync(): Promise<void> {
    return sync(this.#fd);
  }

  /** Waits for what is being written, and closes the file. */
  async close(): Promise<void> {
    await this.#turns.run(() => this.sync());
    closeSync(this.#fd);
  }

  #set(line: Line): void {
    this.#lines.set(keyOf(line[0], line[1].topic, line[1].index), line);
  }

  /** Writes what counts to a new file, which replaces the old one when it is on the disk. */
  #rewrite(): number {
    const bytes = Buffer.from([...this.#lines.values()].map(textOf).join(""));
    writeFileSync(`${this.#path}.new`, bytes, { flush: true });
    renameSync(`${this.#path}.new`, this.#path);
    [this.#size, this.#written] = [bytes.length, this.#lines.size];
    return openSync(this.#path, "r+");
  }
}

function keyOf(group: string, topic: string, index: number): string {
  return JSON.stringify([group, topic, index]);
}

function textOf(line: Line): string {
  return `${JSON.stringify(line)}\n`;
}
