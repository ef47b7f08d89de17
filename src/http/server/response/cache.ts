/** What a thread keeps: open files, their answers, and small files whole. @module */

import type { FileVersion } from "../../../sys/file/file_version.ts";
import type { OpenFile } from "../../files/open_root.ts";
import type { CacheConfig } from "../control/limits.ts";
import type { SharedFile } from "./shared_file.ts";
import type { Reply } from "./response.ts";
import type { Representation } from "../../rules/representation.ts";
import type { RequestHead } from "../parser/request_head.ts";

/** The file that a sidecar stands for: another version of it makes the sidecar void. */
export interface Original {
  readonly file: OpenFile;
  readonly version: FileVersion | null;
}

/** A file as one request line found it. */
export interface Entry {
  /** The path as the client sent it. */
  readonly path: Uint8Array;
  /** Which codings the client accepts: see `Variants`. */
  readonly variant: number;
  /** Of the path and the variant. */
  readonly hash: number;
  readonly file: SharedFile;
  /** Path of the file below the root; that of the original for a sidecar. */
  readonly name: string;
  readonly representation: Representation;
  /** What the answer was made of; `null` where it cannot be told from what follows. */
  readonly version: FileVersion | null;
  /** The file that the sidecar stands for. */
  readonly original: Original | null;
  /** The answer to a plain request. */
  readonly reply: Reply;
  /** When the descriptors were last asked whether they have changed, in milliseconds. */
  askedAt: number;
  /** When the path was last looked up. */
  checkedAt: number;
  /** Whether it has been used since the cache last looked for what to drop. */
  used: boolean;
  /** The answer to the last conditional request that had only If-None-Match, and its value. */
  condition: Uint8Array | null;
  unchanged: Reply | null;
  /** What all answers with one part of the file begin with, once there was such an answer. */
  partHead: Uint8Array | null;
}

/** Whether the files of an entry are what its answer was made of. Asks for no path. */
export function unchanged({ file, original, version }: Entry): boolean {
  return version !== null && version.holds(file.fd) &&
    (original === null || (original.version?.holds(original.file.fd) ?? false));
}

/** Keeps entries by the bytes of their paths. Bounded: what has not been used goes first. */
export class Cache {
  readonly #config: CacheConfig;
  readonly #drop: (entry: Entry) => void;
  readonly #entries = new Map<number, Entry>();
  /** Bytes of all answers in memory. */
  bytes = 0;

  /** Hands what is dropped to `drop`, which closes its files. */
  constructor(config: CacheConfig, drop: (entry: Entry) => void) {
    this.#config = config;
    this.#drop = drop;
  }

  /** Entries. */
  get size(): number {
    return this.#entries.size;
  }

  /** Finds the entry for the path in `head` and a variant. */
  find(head: RequestHead, hash: number, variant: number): Entry | undefined {
    const entry = this.#entries.get(hash);
    if (entry === undefined || entry.variant !== variant || !matches(entry.path, head)) {
      return undefined;
    }
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

  /** Whether an entry has not been dropped. */
  has(entry: Entry): boolean {
    return this.#entries.get(entry.hash) === entry;
  }

  /** Drops an entry. */
  remove(entry: Entry | undefined): void {
    if (entry === undefined || this.#entries.get(entry.hash) !== entry) return;
    this.#entries.delete(entry.hash);
    this.bytes -= weight(entry);
    this.#drop(entry);
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

/** Copies the path out of the head. */
export function pathOf(head: RequestHead): Uint8Array {
  return head.bytes.slice(head.targetStart, head.pathEnd);
}

/** Fixed costs of an entry are more than its head: a bound in bytes must count them. */
const OVERHEAD = 1024;

function weight({ reply, path }: Entry): number {
  return reply.memoryBytes + path.length + OVERHEAD;
}

function matches(path: Uint8Array, { bytes, targetStart, pathEnd }: RequestHead): boolean {
  return equal(bytes, targetStart, pathEnd, path);
}

/** Whether a part of `bytes` is `other`. */
export function equal(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  if (end - start !== other.length) return false;
  for (let i = 0; i < other.length; i++) {
    if (bytes[start + i] !== other[i]) return false;
  }
  return true;
}
