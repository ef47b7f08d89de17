/** Watches a folder and all folders below it. @module */

import { type FSWatcher, lstatSync, readdirSync, statSync, watch } from "node:fs";
import { basename, join } from "node:path";

/** What to watch, and what to do. */
export interface WatchOptions {
  /** Whether to ignore what has this name, and everything below it. */
  ignores(name: string): boolean;
  /** Called with the path below the root of each entry that was changed, made or removed. */
  changed(path: string): void;
  /** Called once if not everything can be watched. */
  limited(reason: string): void;
  /** Most folders to watch. @default {10000} */
  readonly most?: number | undefined;
}

/** Folders to look at before other work gets a turn. */
const FOLDERS_A_TURN = 50;

/** Interval of checks whether another folder has replaced the root, in milliseconds. */
const ROOT_MS = 500;

/**
 * Watches by inotify(7), one watch for each folder. Does not follow symbolic links to folders. A root
 * that is removed and made again, as builds do, is watched again.
 */
export class FolderWatcher {
  readonly #root: string;
  readonly #options: WatchOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #name: string;
  readonly #timer: NodeJS.Timeout;
  #identity: string | undefined;
  #limited = false;
  #closed = false;
  /** Resolves when all folders that were there are watched. */
  ready: Promise<void>;

  /** Begins to watch. */
  constructor(root: string, options: WatchOptions) {
    this.#root = root;
    this.#name = basename(root);
    this.#options = options;
    this.#identity = identityOf(root);
    this.ready = this.#addAll("");
    this.#timer = setInterval(() => this.#checkRoot(), ROOT_MS).unref();
  }

  /** Number of folders that are watched. */
  get folders(): number {
    return this.#watchers.size;
  }

  /** Stops. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#drop("");
  }

  /** Watches a folder and those below it. */
  async #addAll(first: string): Promise<void> {
    const queue = [first];
    for (let at = 0; at < queue.length && !this.#closed; at++) {
      if (at % FOLDERS_A_TURN === FOLDERS_A_TURN - 1) await turn();
      for (const below of this.#add(queue[at]!)) queue.push(below);
    }
  }

  /** Watches a folder; returns the folders in it. */
  #add(path: string): string[] {
    const { ignores, most = 10_000 } = this.#options;
    if (this.#watchers.has(path) || this.#closed) return [];
    if (this.#watchers.size >= most) {
      this.#limit(`${most} folders are watched, which is the limit`);
      return [];
    }
    const folder = join(this.#root, path);
    try {
      const watcher = watch(folder, { persistent: false });
      watcher.on("change", (_, name) => this.#event(path, name === null ? null : String(name)));
      watcher.on("error", (error) => this.#failed(path, error));
      this.#watchers.set(path, watcher);
      return readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && !ignores(entry.name))
        .map(({ name }) => path === "" ? name : `${path}/${name}`);
    } catch (error) {
      this.#failed(path, error);
      return [];
    }
  }

  #failed(path: string, error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException;
    this.#drop(path);
    // Removed while it was looked at.
    if (code === "ENOENT" || code === "ENOTDIR") return;
    const limit = code === "ENOSPC" || code === "EMFILE";
    this.#limit(limit ? "sysctl fs.inotify.max_user_watches or max_user_instances" : message);
  }

  #limit(reason: string): void {
    if (this.#limited || this.#closed) return;
    this.#limited = true;
    this.#options.limited(reason);
  }

  #event(folder: string, name: string | null): void {
    if (this.#closed) return;
    if (name === null) return this.#options.changed(folder);
    if (this.#options.ignores(name)) return;
    const path = folder === "" ? name : `${folder}/${name}`;
    const kind = kindOf(join(this.#root, path));
    // The root itself was removed; #checkRoot waits for the next one, which may have the same number.
    if (kind === undefined && path === this.#name) this.#drop("");
    // A folder of the same name may be another one.
    if (kind !== "file") this.#drop(path);
    if (kind === "folder") void this.#addAll(path);
    this.#options.changed(path);
  }

  /** Stops to watch a folder and those below it. */
  #drop(path: string): void {
    for (const [each, watcher] of [...this.#watchers]) {
      if (path !== "" && each !== path && !each.startsWith(`${path}/`)) continue;
      watcher.close();
      this.#watchers.delete(each);
    }
  }

  #checkRoot(): void {
    const identity = identityOf(this.#root);
    if (identity === undefined || (identity === this.#identity && this.#watchers.has(""))) return;
    this.#identity = identity;
    this.#drop("");
    this.ready = this.#addAll("");
    this.#options.changed("");
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

function identityOf(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found && `${found.dev} ${found.ino}`;
}

/** The kind of an entry; `undefined` if it is gone. A link is a file. */
function kindOf(path: string): "file" | "folder" | undefined {
  try {
    return lstatSync(path).isDirectory() ? "folder" : "file";
  } catch {
    return undefined;
  }
}
