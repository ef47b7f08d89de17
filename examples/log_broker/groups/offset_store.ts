/** The offsets that groups have committed: a log, with a line of JSON for each commit. @module */

import { Buffer } from "node:buffer";
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { Code, Refusal } from "../errors.ts";
import { append, sync, Turns } from "../log/files.ts";

/** The file is written anew when this many bytes are out of date, about. */
const MOST_OUTDATED = 10 * 1024 * 1024;

/** How far a group has read a partition. */
export interface Committed {
  readonly topic: string;
  readonly index: number;
  readonly offset: number;
  readonly metadata: string | null;
}

type Line = [group: string, offsets: readonly Committed[]];

/** All committed offsets. */
export class OffsetStore {
  readonly #path: string;
  readonly #syncAlways: boolean;
  readonly #turns: Turns = new Turns();
  /** By group, and by partition. */
  readonly #groups: Map<string, Map<string, Committed>> = new Map();
  #fd = -1;
  #size = 0;
  #most = 0;

  /** Reads the file if it exists. */
  constructor(path: string, syncAlways: boolean) {
    [this.#path, this.#syncAlways] = [path, syncAlways];
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    try {
      for (const line of text.split("\n")) this.#set(...JSON.parse(line) as Line);
    } catch { /* The end, or what a kill or a power failure has cut short. */ }
    this.#rewrite();
  }

  /** What `group` has committed. */
  of(group: string): Committed[] {
    return [...this.#groups.get(group)?.values() ?? []];
  }

  /** Stores offsets; all of them or none. */
  commit(group: string, offsets: readonly Committed[]): Promise<void> {
    return this.#turns.run(async () => {
      const bytes = bytesOf([[group, offsets]]);
      try {
        await append(this.#fd, this.#size, bytes);
        this.#size += bytes.length;
        if (this.#syncAlways) await sync(this.#fd);
        this.#set(group, offsets);
        if (this.#size > this.#most) this.#rewrite();
      } catch (error) {
        throw new Refusal(Code.COORDINATOR_NOT_AVAILABLE, "Cannot store offsets", error);
      }
    });
  }

  /** Waits for what is being written, and writes it to the disk. */
  sync(): Promise<void> {
    return this.#turns.run(() => sync(this.#fd));
  }

  #set(group: string, offsets: readonly Committed[]): void {
    const own = this.#groups.get(group) ?? new Map<string, Committed>();
    for (const each of offsets) own.set(`${each.topic} ${each.index}`, each);
    this.#groups.set(group, own);
  }

  /** Writes what counts to a new file, which replaces the old one when it is on the disk. */
  #rewrite(): void {
    const bytes = bytesOf(Array.from(this.#groups, ([group, own]) => [group, [...own.values()]]));
    writeFileSync(`${this.#path}.new`, bytes, { flush: true });
    const fd = openSync(`${this.#path}.new`, "r+");
    renameSync(`${this.#path}.new`, this.#path);
    if (this.#fd >= 0) closeSync(this.#fd);
    [this.#fd, this.#size, this.#most] = [fd, bytes.length, 2 * bytes.length + MOST_OUTDATED];
  }
}

function bytesOf(lines: readonly Line[]): Buffer {
  return Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}
