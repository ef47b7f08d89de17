/** What a thread keeps: open files, their answers, and small files whole. @module */

import type { CacheConfig } from "../control/config.ts";
import type { SharedFile } from "./shared_file.ts";
import type { Reply } from "./response.ts";
import type { Representation } from "../../rules/representation.ts";
import type { RequestHead } from "../parser/request_head.ts";

/** A file as one request line found it. */
export interface Entry {
  /** The path as it was sent, and what else the choice depended on. */
  readonly key: Uint8Array;
  readonly hash: number;
  readonly file: SharedFile;
  readonly representation: Representation;
  /** Device, inode, time and size: another version of the file has another one. */
  readonly identity: string;
  /** The answer to a plain request. */
  readonly reply: Reply;
  /** When the file was last looked at, in milliseconds. */
  checkedAt: number;
  /** Whether it has been used since the cache last looked for what to drop. */
  used: boolean;
  /** The answer to the last conditional request that had only If-None-Match, and its value. */
  condition: Uint8Array | null;
  unchanged: Reply | null;
  /** What all answers with one part of the file begin with, once there was such an answer. */
  partHead: Uint8Array | null;
}

/** Keeps entries by the bytes of their paths. Bounded: what has not been used goes first. */
export class Cache {
  readonly #config: CacheConfig;
  readonly #drop: (file: SharedFile) => void;
  readonly #entries = new Map<number, Entry>();
  /** Bytes of all answers in memory. */
  bytes = 0;

  /** Hands the files of what is dropped to `drop`. */
  constructor(config: CacheConfig, drop: (file: SharedFile) => void) {
    this.#config = config;
    this.#drop = drop;
  }

  /** Entries. */
  get size(): number {
    return this.#entries.size;
  }

  /** The entry for the path in `head`; `extra` is what else the choice depends on. */
  find(head: RequestHead, hash: number, extra: Uint8Array | null): Entry | undefined {
    const entry = this.#entries.get(hash);
    if (entry === undefined || !matches(entry.key, head, extra)) return undefined;
    entry.used = true;
    return entry;
  }

  /** Adds an entry, in the place of any other with the same hash. */
  add(entry: Entry): void {
    const { maxBytes, maxFiles } = this.#config;
    this.remove(this.#entries.get(entry.hash));
    this.#entries.set(entry.hash, entry);
    entry.reply.kept = true;
    this.bytes += weight(entry);
    // Second chance: an entry that was used since goes to the end of the queue once.
    for (let tries = this.#entries.size * 2; tries > 0; tries--) {
      if (this.bytes <= maxBytes && this.#entries.size <= maxFiles) return;
      const oldest = this.#entries.values().next().value!;
      if (oldest.used && oldest !== entry) {
        oldest.used = false;
        this.#entries.delete(oldest.hash);
        this.#entries.set(oldest.hash, oldest);
      } else this.remove(oldest);
    }
  }

  /** Drops an entry. */
  remove(entry: Entry | undefined): void {
    if (entry === undefined || this.#entries.get(entry.hash) !== entry) return;
    this.#entries.delete(entry.hash);
    this.bytes -= weight(entry);
    this.#drop(entry.file);
  }

  /** Drops what has not been used since the last sweep: a file that is gone must not stay open. */
  sweep(): void {
    for (const entry of this.#entries.values()) {
      if (entry.used) entry.used = false;
      else this.remove(entry);
    }
  }

  /** Drops everything. */
  clear(): void {
    for (const entry of this.#entries.values()) this.remove(entry);
  }
}

/** Bytes of the path and of the extra, as they are compared. */
export function keyOf(head: RequestHead, extra: Uint8Array | null): Uint8Array {
  const path = head.bytes.subarray(head.targetStart, head.pathEnd);
  const key = new Uint8Array(path.length + (extra?.length ?? 0));
  key.set(path);
  if (extra !== null) key.set(extra, path.length);
  return key;
}

/** Fixed costs of an entry are more than its head: a bound in bytes must count them. */
const OVERHEAD = 1024;

function weight({ reply, key }: Entry): number {
  return reply.memoryBytes + key.length + OVERHEAD;
}

function matches(key: Uint8Array, head: RequestHead, extra: Uint8Array | null): boolean {
  const { bytes, targetStart } = head;
  const length = head.pathEnd - targetStart;
  if (key.length !== length + (extra?.length ?? 0)) return false;
  for (let i = 0; i < length; i++) {
    if (key[i] !== bytes[targetStart + i]) return false;
  }
  for (let i = length; i < key.length; i++) {
    if (key[i] !== extra![i - length]) return false;
  }
  return true;
}
