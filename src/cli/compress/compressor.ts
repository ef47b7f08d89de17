/** Makes compressed versions of the files of a folder, one after the other, in the background. @module */

import { promises as fs, rmSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import process from "node:process";
import { pipeline } from "node:stream/promises";
import { type OpenFile, openRoot, type Root } from "../../http/files/open_root.ts";
import { versionTag } from "../../http/files/versions.ts";
import type { Coding } from "../../http/mod.ts";
import { SUFFIXES } from "../../http/rules/fields/codings.ts";
import { readSome } from "../../move/engine/portable_copy.ts";
import { type CacheFolder, partialName, removePartial } from "./cache_folder.ts";
import { type Codec, isCompressible } from "./codecs.ts";

/** What to compress, and how much. Sizes are in bytes. */
export interface CompressorOptions {
  /** Served folder. */
  readonly root: string;
  /** Name of the only file that is served; `undefined` for all. */
  readonly only?: string | undefined;
  /** Where its versions go. */
  readonly cache: CacheFolder;
  readonly codecs: ReadonlyMap<Coding, Codec>;
  /** Whether files and folders whose name begins with a dot are served. */
  readonly dotfiles: boolean;
  /** Smallest file. */
  readonly minBytes: number;
  /** Most bytes of all versions. */
  readonly maxBytes: number;
  /**
   * Milliseconds for which a file must be unchanged. One that has just changed may change again
   * without another time, and waits for the next pass.
   */
  readonly settledMs: number;
}

/** What one pass over the folder has done. */
export interface Pass {
  /** Versions made, bytes of the files, and of the versions. */
  made: number;
  from: number;
  to: number;
  /** Whether versions are missing because they would exceed `maxBytes`. */
  full: boolean;
}

/** Usual value of `settledMs`: some runtimes report times in whole seconds. */
export const SETTLED_MS: number = 1000;

/** `name.mtime-ctime-size.gz`; see `versionTag`. */
const VERSION = /^(.+)\.([0-9a-z-]+-[0-9a-z-]+-[0-9a-z]+)\.(?:br|zst|gz)$/s;

/** Errors of single files, which are left as they are. */
const PASSING: ReadonlySet<unknown> = new Set([
  "EACCES",
  "ELOOP",
  "ENAMETOOLONG",
  "ENOENT",
  "ENOTDIR",
  "EPERM",
]);

/** The versions of one folder. */
export class Compressor {
  readonly #options: CompressorOptions;
  /** Describes files as the server does. */
  readonly #root: Root;
  /** Bytes of all versions, and so many that another one did not fit. */
  #bytes = 0;
  #fullAt = Infinity;
  #number = 0;

  constructor(options: CompressorOptions) {
    this.#options = options;
    this.#root = openRoot(options.root, "deny");
    removePartial(options.cache);
  }

  /** Removes versions of files that have changed or are gone, and makes those that are missing. */
  async run(signal: AbortSignal): Promise<Pass> {
    const pass: Pass = { made: 0, from: 0, to: 0, full: false };
    this.#bytes = await this.#tidy(signal);
    // Not again each time.
    if (this.#bytes < this.#fullAt) this.#fullAt = this.#options.maxBytes;
    const { only } = this.#options;
    if (only === undefined) await this.#folder("", pass, signal);
    else if (isCompressible(only)) await this.#file(only, pass, signal);
    pass.full = this.#bytes >= this.#fullAt;
    return pass;
  }

  /** Closes the folder; call it when no pass runs. */
  close(): void {
    this.#root.close();
  }

  /** Removes outdated versions; returns the bytes of the others. */
  async #tidy(signal: AbortSignal, below = ""): Promise<number> {
    const { versions } = this.#options.cache;
    let bytes = 0;
    const tags = new Map<string, string | undefined>();
    for await (const entry of await fs.opendir(join(versions, below))) {
      signal.throwIfAborted();
      const path = posix.join(below, entry.name);
      if (entry.isDirectory()) {
        bytes += await this.#tidy(signal, path);
        // It stays unless it is empty.
        await fs.rmdir(join(versions, path)).catch(() => {});
        continue;
      }
      const [, name, tag] = VERSION.exec(entry.name) ?? [];
      if (name === undefined) continue;
      if (!tags.has(name)) tags.set(name, await this.#tagOf(posix.join(below, name)));
      if (tags.get(name) === tag) bytes += await sizeOf(join(versions, path)) ?? 0;
      else await fs.rm(join(versions, path), { force: true });
    }
    return bytes;
  }

  async #folder(below: string, pass: Pass, signal: AbortSignal): Promise<void> {
    const { cache, dotfiles, root } = this.#options;
    let entries;
    try {
      entries = await fs.opendir(join(root, below));
    } catch (error) {
      return skip(error);
    }
    for await (const entry of entries) {
      signal.throwIfAborted();
      const { name } = entry;
      const path = posix.join(below, name);
      const hidden = name.startsWith(".") && !(below === "" && name === ".well-known");
      if (hidden && !dotfiles || join(root, path) === cache.path) continue;
      // Links are not followed: their targets may be elsewhere.
      if (entry.isDirectory()) await this.#folder(path, pass, signal);
      else if (entry.isFile() && isCompressible(name)) await this.#file(path, pass, signal);
    }
  }

  async #file(path: string, pass: Pass, signal: AbortSignal): Promise<void> {
    const { cache, codecs, minBytes, settledMs } = this.#options;
    const file = await this.#root.open(path);
    if (typeof file === "number") return;
    try {
      const { ctimeNs, folder, made, size } = file;
      const age = Date.now() - Number(ctimeNs / 1_000_000n);
      const settled = age < 0 || age >= settledMs;
      if (folder || made || size < minBytes || !settled) return;
      const tag = versionTag(file);
      for (const [coding, codec] of codecs) {
        if (this.#bytes >= this.#fullAt) return;
        const version = join(cache.versions, `${path}.${tag}${SUFFIXES[coding]}`);
        if (await sizeOf(version) !== undefined) continue;
        await this.#make(path, file, version, codec, pass, signal);
      }
    } catch (error) {
      signal.throwIfAborted();
      skip(error);
    } finally {
      file.close();
    }
  }

  /** Identifies the version of the file with this path; `undefined` if there is none. */
  async #tagOf(path: string): Promise<string | undefined> {
    const file = await this.#root.open(path);
    if (typeof file === "number") return undefined;
    file.close();
    return file.folder ? undefined : versionTag(file);
  }

  /** Makes one version: complete, or not at all. */
  async #make(
    path: string,
    file: OpenFile,
    version: string,
    codec: Codec,
    pass: Pass,
    signal: AbortSignal,
  ): Promise<void> {
    const { cache, maxBytes } = this.#options;
    const partial = join(cache.partial, partialName(++this.#number));
    const leave = () => rmSync(partial, { force: true });
    process.on("exit", leave);
    let target: fs.FileHandle | undefined;
    try {
      target = await fs.open(partial, "wx", 0o600);
      const write = writerTo(target);
      const { size } = file;
      await pipeline(readAll(file), codec(size), write, { signal });
      let { size: bytes } = await target.stat();
      // Changed meanwhile: the next pass makes it anew.
      if (await this.#tagOf(path) !== versionTag(file)) return;
      if (this.#bytes + bytes > maxBytes) return void (this.#fullAt = this.#bytes);
      if (bytes >= size) {
        // An empty version says that there is nothing to gain.
        await target.truncate();
        bytes = 0;
      }
      // For Last-Modified, which is that of the file.
      const modified = Number(file.mtimeNs) / 1e9;
      await fs.utimes(partial, modified, modified).catch(() => {});
      // After a loss of power, a file must not be there in part.
      await target.sync();
      await fs.mkdir(dirname(version), { recursive: true, mode: 0o700 });
      await fs.rename(partial, version);
      this.#bytes += bytes;
      if (bytes === 0) return;
      pass.made++;
      pass.from += size;
      pass.to += bytes;
    } finally {
      process.off("exit", leave);
      await target?.close();
      leave();
    }
  }
}

/** Bytes that are read at once. */
const CHUNK = 256 * 1024;

/** Reads a file of a known size; a shorter one fails. */
async function* readAll({ fd, size }: OpenFile): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size;) {
    const chunk = await readSome(fd, at, Math.min(CHUNK, size - at));
    // As if it were gone: the next pass looks again.
    if (chunk.length === 0) throw Object.assign(new Error("truncated"), { code: "ENOENT" });
    yield chunk;
    at += chunk.length;
  }
}

/** Returns the end of a pipeline that writes all it gets. */
function writerTo(file: fs.FileHandle) {
  return async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) {
        at += (await file.write(chunk, at, chunk.length - at)).bytesWritten;
      }
    }
  };
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await fs.stat(path)).size;
  } catch (error) {
    return void skip(error);
  }
}

function skip(error: unknown): void {
  if (!PASSING.has((error as NodeJS.ErrnoException).code)) throw error;
}
