/** The offsets that groups have committed: a log of lines, whose last line for a key counts. @module */

import { Buffer } from "node:buffer";
import { closeSync, fdatasync, fsyncSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import { renameSync, write, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { Code, Refusal } from "../errors.ts";

const [writeAt, sync] = [promisify(write), promisify(fdatasync)];
/** The file is written anew when this many lines are out of date. */
const MOST_OUTDATED = 100_000;

/** A committed offset. */
export interface Committed {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string | null;
}

type Line = [group: string, topic: string, partition: number, offset: number, text: string | null];

/** All committed offsets. */
export class OffsetStore {
  readonly #path: string;
  readonly #syncAlways: boolean;
  readonly #groups: Map<string, Map<string, Committed>> = new Map();
  #fd: number;
  #size = 0;
  #lines = 0;
  #turn: Promise<unknown> = Promise.resolve();

  /** Reads the file if it exists. */
  constructor(path: string, syncAlways: boolean) {
    this.#path = path;
    this.#syncAlways = syncAlways;
    let text = "";
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    // What follows the last line end was cut short by a kill, and never acknowledged.
    for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
      if (line === "") continue;
      const [group, topic, partition, offset, metadata] = JSON.parse(line) as Line;
      this.#set(group, { topic, partition, offset, metadata });
    }
    this.#fd = this.#rewrite();
  }

  /** The offset that `group` has committed for a partition. */
  get(group: string, topic: string, partition: number): Committed | undefined {
    return this.#groups.get(group)?.get(`${topic}-${partition}`);
  }

  /** All that `group` has committed. */
  all(group: string): Committed[] {
    return [...this.#groups.get(group)?.values() ?? []];
  }

  /** Stores offsets; all of them or none. */
  commit(group: string, offsets: readonly Committed[]): Promise<void> {
    const done = this.#turn.then(() => this.#append(group, offsets));
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Writes it to the disk. */
  sync(): Promise<void> {
    return sync(this.#fd);
  }

  /** Waits for what is being written, and closes the file. */
  async close(): Promise<void> {
    await this.#turn;
    await this.sync();
    closeSync(this.#fd);
  }

  async #append(group: string, offsets: readonly Committed[]): Promise<void> {
    const bytes = Buffer.from(offsets.map((each) => line(group, each)).join(""));
    try {
      for (let done = 0; done < bytes.length;) {
        const left = bytes.length - done;
        done += (await writeAt(this.#fd, bytes, done, left, this.#size + done)).bytesWritten;
      }
      if (this.#syncAlways) await this.sync();
    } catch (error) {
      ftruncateSync(this.#fd, this.#size);
      throw new Refusal(Code.COORDINATOR_NOT_AVAILABLE, "Cannot store offsets", error);
    }
    this.#size += bytes.length;
    this.#lines += offsets.length;
    for (const each of offsets) this.#set(group, each);
    if (this.#lines - this.#count > MOST_OUTDATED) {
      const fd = this.#fd;
      this.#fd = this.#rewrite();
      closeSync(fd);
    }
  }

  #set(group: string, committed: Committed): void {
    let offsets = this.#groups.get(group);
    if (offsets === undefined) this.#groups.set(group, offsets = new Map());
    offsets.set(`${committed.topic}-${committed.partition}`, committed);
  }

  get #count(): number {
    let sum = 0;
    for (const offsets of this.#groups.values()) sum += offsets.size;
    return sum;
  }

  /** Writes what counts to a new file, which replaces the old one when it is on the disk. */
  #rewrite(): number {
    const lines: string[] = [];
    for (const [group, offsets] of this.#groups) {
      for (const each of offsets.values()) lines.push(line(group, each));
    }
    const text = lines.join("");
    const fd = openSync(`${this.#path}.new`, "w+");
    writeFileSync(fd, text);
    fsyncSync(fd);
    renameSync(`${this.#path}.new`, this.#path);
    this.#size = Buffer.byteLength(text);
    this.#lines = lines.length;
    return fd;
  }
}

function line(group: string, { topic, partition, offset, metadata }: Committed): string {
  const fields: Line = [group, topic, partition, offset, metadata];
  return `${JSON.stringify(fields)}\n`;
}
