/**
 * The stored responses: a body file and a small JSON file for each, in one folder.
 *
 * A body appears in the JSON file only when it is complete, and rename(2) replaces that file in one
 * step. So a killed process leaves complete responses and rests, which the next start deletes.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as sys from "../../src/sys/mod.ts";
import type { Fields } from "./head.ts";
import type { Lifetime } from "./rules.ts";

const { RDONLY, RDWR, CREAT, EXCL, CLOEXEC } = sys.OpenFlag;

/** Most files that are kept open without a reader. */
const MOST_OPEN = 500;

/** A response in the store, or on its way there. */
export interface Entry extends Lifetime {
  /** Path and query. */
  readonly key: string;
  readonly status: number;
  readonly reason: string;
  /** Header fields to send, as the origin sent them. */
  lines: readonly (readonly [string, string])[];
  fields: Fields;
  /** Bytes of the body. */
  readonly length: number;
  /** Name of the body file. */
  readonly file: string;
  /** Bytes that have arrived. */
  arrived: number;
  /** Whether the origin's connection broke: no more bytes will arrive. */
  broken: boolean;
  /** The open body; -1 if it is closed. */
  fd: number;
  /** Clients that are sending it. */
  readers: number;
  /** Whether it has left the store; the last reader closes it. */
  removed: boolean;
  /** The head for clients, and the second in which its Age is right. */
  head: { readonly second: number; readonly bytes: Buffer } | undefined;
}

/** What a JSON file holds. */
const STORED = ["key", "status", "reason", "lines", "length", "file"] as const;
const TIMES = ["bornMs", "freshUntilMs", "usableUntilMs", "fallbackUntilMs"] as const;
type Stored = Pick<Entry, typeof STORED[number] | typeof TIMES[number]>;

/** How each response begins. */
const NEW = { broken: false, fd: -1, readers: 0, removed: false, head: undefined };

/** Responses by key, within a limit of bytes. */
export class Store {
  /** Bytes of all bodies, with those on their way. */
  bytes = 0;
  evictions = 0;
  readonly #dir: string;
  readonly #maxBytes: number;
  /** In the order of use: the first ones leave first. */
  readonly #entries = new Map<string, Entry>();
  /** Open files without a reader, in the order of use. */
  readonly #idle = new Set<Entry>();
  #sequence = Date.now();

  constructor(dir: string, maxBytes: number) {
    this.#dir = dir;
    this.#maxBytes = maxBytes;
    mkdirSync(dir, { recursive: true });
    this.#lock();
    this.#recover();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Returns the complete response for a key, and counts this as a use. */
  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  /**
   * Makes room for a response, and opens its file. Returns `null` if it does not fit, or if the disk
   * is full although others have been evicted.
   */
  begin(
    response: Pick<Entry, "key" | "status" | "reason" | "lines" | "fields" | "length">,
    lifetime: Lifetime,
  ): Entry | null {
    const { length } = response;
    if (length > this.#maxBytes) return null;
    while (this.bytes + length > this.#maxBytes && this.#evict());
    if (this.bytes + length > this.#maxBytes) return null; // others are on their way
    const file = `${hash(response.key)}.${(this.#sequence++).toString(36)}.body`;
    const fd = this.#create(join(this.#dir, file), length);
    if (fd < 0) return null;
    this.bytes += length;
    // The first reader is the origin's connection, until complete() or discard().
    return { ...response, ...lifetime, ...NEW, file, fd, arrived: 0, readers: 1 };
  }

  /** Puts a complete response under its key, in the place of an older one. */
  complete(entry: Entry): void {
    const before = this.#entries.get(entry.key);
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
    this.save(entry);
    // The JSON file names the new body already.
    if (before !== undefined) this.#dispose(before);
    this.release(entry);
  }

  /** Gives up a response from {@linkcode begin}. Readers keep its open file. */
  discard(entry: Entry): void {
    this.#dispose(entry);
    this.release(entry);
  }

  /** Writes the JSON file of a response: after its body is complete, and after a revalidation. */
  save(entry: Entry): void {
    entry.head = undefined;
    const path = this.#metaPath(entry.key);
    try {
      writeFileSync(`${path}.part`, JSON.stringify(entry, [...STORED, ...TIMES]));
      renameSync(`${path}.part`, path);
    } catch {
      // The disk is full: this run keeps the response, and the next one deletes it.
      rmSync(`${path}.part`, { force: true });
      rmSync(path, { force: true });
    }
  }

  /** Deletes the response for a key. Readers keep their open file. */
  remove(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#entries.delete(key);
    rmSync(this.#metaPath(key), { force: true });
    this.#dispose(entry);
    return true;
  }

  /** Opens a body for one more reader, which calls {@linkcode release} later. */
  hold(entry: Entry): void {
    if (entry.fd < 0) entry.fd = sys.open(join(this.#dir, entry.file), RDONLY | CLOEXEC);
    entry.readers++;
    this.#idle.delete(entry);
  }

  /** Ends the use by one reader. */
  release(entry: Entry): void {
    if (--entry.readers > 0) return;
    if (!entry.removed) this.#idle.add(entry);
    else close(entry);
    if (this.#idle.size <= MOST_OPEN) return;
    const [oldest] = this.#idle as Iterable<Entry>;
    this.#idle.delete(oldest!);
    close(oldest!);
  }

  /** Lets another process have the folder. */
  close(): void {
    rmSync(join(this.#dir, "lock"), { force: true });
  }

  #metaPath(key: string): string {
    return join(this.#dir, `${hash(key)}.json`);
  }

  #evict(): boolean {
    const [key] = this.#entries.keys() as Iterable<string>;
    if (key === undefined) return false;
    this.evictions++;
    return this.remove(key);
  }

  #dispose(entry: Entry): void {
    entry.removed = true;
    this.bytes -= entry.length;
    rmSync(join(this.#dir, entry.file), { force: true });
    if (this.#idle.delete(entry)) close(entry);
  }

  /** Creates a body file with reserved blocks, so that a full disk shows before the head is sent. */
  #create(path: string, length: number): number {
    for (;;) {
      let fd = -1;
      try {
        fd = sys.open(path, RDWR | CREAT | EXCL | CLOEXEC, 0o600);
        if (length > 0) sys.fallocate(fd, sys.FallocateFlag.KEEP_SIZE, 0, length);
        return fd;
      } catch (error) {
        const { code = "" } = error as { code?: string };
        // Some file systems cannot reserve.
        if (code === "EOPNOTSUPP" && fd >= 0) return fd;
        if (fd >= 0) sys.close(fd);
        rmSync(path, { force: true });
        const full = code === "ENOSPC" || code === "EDQUOT";
        if (!full || !this.#couldHold(length) || !this.#evict()) return -1;
      }
    }
  }

  /** Whether the disk had room without the stored bodies. Otherwise, evicting would be in vain. */
  #couldHold(length: number): boolean {
    const { bavail, bsize } = statfsSync(this.#dir);
    return bavail * bsize + this.bytes >= length;
  }

  #lock(): void {
    const path = join(this.#dir, "lock");
    try {
      const owner = readFileSync(path, "utf8");
      if (owner === identity(owner.split(" ")[0]!)) {
        throw new Error(`Cannot use ${this.#dir}: process ${owner.split(" ")[0]} uses it`);
      }
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
    }
    writeFileSync(path, identity("self")!);
  }

  #recover(): void {
    const rests = new Set(readdirSync(this.#dir));
    rests.delete("lock");
    for (const name of [...rests].filter((name) => name.endsWith(".json"))) {
      const entry = this.#load(name);
      if (entry === null) continue;
      this.#entries.set(entry.key, entry);
      this.bytes += entry.length;
      rests.delete(name);
      rests.delete(entry.file);
    }
    // Only what this program names so: the folder may have been a wrong one.
    const ours = /^[0-9a-f]{32}\.([0-9a-z]+\.body|json|json\.part)$/;
    for (const name of rests) if (ours.test(name)) rmSync(join(this.#dir, name));
    while (this.bytes > this.#maxBytes && this.#evict());
  }

  #load(name: string): Entry | null {
    try {
      const stored = JSON.parse(readFileSync(join(this.#dir, name), "utf8")) as Stored;
      const { size } = statSync(join(this.#dir, stored.file));
      if (size !== stored.length || name !== `${hash(stored.key)}.json`) return null;
      const fields = new Map(stored.lines.map(([name, value]) => [name.toLowerCase(), value]));
      return { ...stored, ...NEW, fields, arrived: size };
    } catch {
      return null;
    }
  }
}

function close(entry: Entry): void {
  if (entry.fd >= 0) sys.close(entry.fd);
  entry.fd = -1;
}

function hash(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 32);
}

/** Number and start time of a process: the number alone may belong to another one by now. */
function identity(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return `${stat.split(" ")[0]} ${fields[19]}`;
  } catch {
    return undefined;
  }
}
