/** The cache of a thread: open files, their responses, and the content of small files. @module */

import type { FileVersion } from "../../../sys/file/file_version.ts";
import type { OpenFile } from "../../files/open_root.ts";
import type { CacheConfig } from "../control/limits.ts";
import type { SharedFile } from "./shared_file.ts";
import type { Reply } from "./response.ts";
import type { Representation } from "../../rules/representation.ts";
import type { RequestHead } from "../parser/request_head.ts";

/** The original of a sidecar: if it changes, the sidecar is invalid. */
export interface Original {
  readonly file: OpenFile;
  readonly version: FileVersion | null;
}

/** A cached file, by one request path. */
export interface Entry {
  /** The path as sent by the client. */
  readonly path: Uint8Array;
  /** Codings that the client accepts: see `Variants`. */
  readonly variant: number;
  /** Hash of the path and the variant. */
  readonly hash: number;
  readonly file: SharedFile;
  /** Path of the file below the root; for a sidecar, of its original. */
  readonly name: string;
  readonly representation: Representation;
  /** Version of the file in the response; `null` if changes could not be detected. */
  readonly version: FileVersion | null;
  /** The original of a sidecar. */
  readonly original: Original | null;
  /** Response to a plain request. */
  readonly reply: Reply;
  /** When the descriptors were last checked for changes, in milliseconds. */
  askedAt: number;
  /** When the path was last looked up. */
  checkedAt: number;
  /** Whether it was used since the last eviction scan. */
  used: boolean;
  /** Response to the last conditional request with only If-None-Match, and that field's value. */
  condition: Uint8Array | null;
  unchanged: Reply | null;
  /** Start of all responses with one part of the file, once there was one. */
  partHead: Uint8Array | null;
}

/** Whether the files of an entry are unchanged. Looks up no path. */
export function unchanged({ file, original, version }: Entry): boolean {
  return version !== null && version.holds(file.fd) &&
    (original === null || (original.version?.holds(original.file.fd) ?? false));
}

/** Stores entries by the bytes of their paths, within limits; evicts unused entries first. */
export class Cache {
  readonly #config: CacheConfig;
  readonly #drop: (entry: Entry) => void;
  readonly #entries = new Map<number, Entry>();
  /** Total bytes of all responses in memory. */
  bytes = 0;

  /** Passes evicted entries to `drop`, which closes their files. */
  constructor(config: CacheConfig, drop: (entry: Entry) => void) {
    this.#config = config;
    this.#drop = drop;
  }

  /** Number of entries. */
  get size(): number {
    return this.#entries.size;
  }

  /** Finds the entry for a variant of the path in `head`. */
  find(head: RequestHead, hash: number, variant: number): Entry | undefined {
    const entry = this.#entries.get(hash);
    if (entry === undefined || entry.variant !== variant || !matches(entry.path, head)) {
      return undefined;
    }
    entry.used = true;
    return entry;
  }

  /** Adds an entry; replaces another entry with the same hash. */
  add(entry: Entry): void {
    const { maxBytes, maxFiles } = this.#config;
    this.remove(this.#entries.get(entry.hash));
    this.#entries.set(entry.hash, entry);
    entry.reply.kept = true;
    this.bytes += weight(entry);
    // Second chance: an entry used since the last scan moves to the end of the queue once.
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

  /** Whether an entry is still cached. */
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

  /** Evicts entries not used since the last sweep: a deleted file must not stay open. */
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

/** The limit in bytes also counts the fixed costs of an entry, which exceed its head. */
const OVERHEAD = 1024;

function weight({ reply, path }: Entry): number {
  return reply.memoryBytes + path.length + OVERHEAD;
}

function matches(path: Uint8Array, { bytes, targetStart, pathEnd }: RequestHead): boolean {
  return equal(bytes, targetStart, pathEnd, path);
}

/** Whether a part of `bytes` equals `other`. */
export function equal(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  if (end - start !== other.length) return false;
  for (let i = 0; i < other.length; i++) {
    if (bytes[start + i] !== other[i]) return false;
  }
  return true;
}
