/** A root by system calls: the kernel keeps look-ups below the folder. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { errnoNumber } from "../../errors.ts";
import { describe } from "../../options.ts";
import { check } from "../../sys/check.ts";
import { ResolveFlag } from "../../sys/flags/file.ts";
import * as raw from "../../sys/raw/mod.ts";
import { type Mount, mountByName, mountOf } from "../../sys/file/mounts.ts";
import { sameFile } from "../../sys/file/statx.ts";
import { runBlocking } from "../../threads/blocking/blocking.ts";
import { onMount } from "../../threads/blocking/files.ts";
import { pathWithoutLinks } from "./links.ts";
import { farByName, openFolderNear, openNear, openNearByName, openWhole, walk } from "./near.ts";
import { describeNow, describeOpened } from "./native_file.ts";
import type { OpenFile, Root, Symlinks } from "./root.ts";
import { belowReal, join, openFolder } from "./paths_below.ts";

const { DIRECTORY, NONBLOCK, NOCTTY, CLOEXEC, PATH } = platform.open;
/** NONBLOCK, because opening a FIFO waits for its writer. It does not affect files. */
const READ = NONBLOCK | NOCTTY | CLOEXEC;

const EAGAIN = errnoNumber("EAGAIN");
const EXDEV = errnoNumber("EXDEV");

/** Interval of checks whether another folder has taken the path, in milliseconds. */
const REFRESH_MS = 1000;

const RESOLVE: Readonly<Record<Symlinks, number>> = {
  inside: ResolveFlag.BENEATH | ResolveFlag.NO_MAGICLINKS,
  deny: ResolveFlag.BENEATH | ResolveFlag.NO_MAGICLINKS | ResolveFlag.NO_SYMLINKS,
  follow: ResolveFlag.NO_MAGICLINKS,
};

/** Options of {@linkcode NativeRoot}. */
export interface NativeRootOptions {
  /** Whether to avoid openat2(2), as on old kernels. */
  readonly walk?: boolean;
  /** Whether to keep this folder even if another one takes its path. */
  readonly fixed?: boolean;
  /** Interval of checks of the path, in milliseconds; 0 checks whenever the time has changed. */
  readonly refreshMs?: number;
  /** Returns monotonic time in milliseconds, such as that of the turn of a loop. */
  now?(): number;
}

/** A root by system calls. */
export class NativeRoot implements Root {
  readonly path: string;
  readonly #resolve: number;
  /** Whether one openat2(2) opens a path; if not, each name is opened. Decided at the start. */
  readonly #whole: boolean;
  readonly #fixed: boolean;
  readonly #refreshMs: number;
  readonly #now: () => number;
  /** Whether to resolve links with absolute paths. */
  readonly #finds: boolean;
  /** Whether the kernel has RESOLVE_CACHED (Linux 5.12), which opens only what needs no disk. */
  readonly #cached: boolean;
  /** The real path of the folder, if it is fixed. */
  readonly #real: string | undefined;
  #fd: number;
  /** Mount of the folder. An open folder never moves to another file system. */
  #mount: Mount;
  #checkedMs = performance.now();
  /** Calls in other threads that use the descriptor of the folder. */
  #pending = 0;
  #closed = false;

  constructor(path: string, symlinks: Symlinks, options: NativeRootOptions = {}) {
    const { fixed = false, refreshMs = REFRESH_MS, walk = false } = options;
    this.#now = options.now ?? (() => performance.now());
    this.path = path;
    this.#fixed = fixed;
    this.#refreshMs = refreshMs;
    this.#finds = symlinks === "inside";
    this.#resolve = RESOLVE[symlinks];
    this.#fd = check(openFolder(path), "open", () => `open the folder ${describe(path)}`);
    this.#mount = mountOf(this.#fd);
    this.#real = fixed ? builtin("fs").realpathSync(path) : undefined;
    this.#whole = !walk && this.#probe(0);
    this.#cached = this.#whole && this.#probe(ResolveFlag.CACHED);
    // Without openat2, links cannot be followed safely, unless all links may be followed.
    if (!this.#whole && symlinks === "follow") this.#resolve = 0;
  }

  open(path: string): OpenFile | number | Promise<OpenFile | number> {
    this.#refreshSoon();
    if (this.#mount.storage === "remote") return this.#openElsewhere(path, this.#mount);
    if (!this.#cached) return this.openNow(path);
    const resolve = this.#resolve | ResolveFlag.CACHED;
    const fd = raw.openat2(this.#fd, path, READ, 0, resolve | ResolveFlag.NO_XDEV);
    return fd === -EXDEV || fd === -EAGAIN ? this.#openFurther(path, resolve) : describeOpened(fd);
  }

  /** Handles a path that needs a disk, crosses a file system, or follows a link that leads out. */
  #openFurther(path: string, resolve: number): OpenFile | number | Promise<OpenFile | number> {
    const place = raw.openat2(this.#fd, path, PATH | CLOEXEC, 0, resolve);
    if (place === -EXDEV && this.#finds) return this.#openFound(path);
    if (place === -EAGAIN) return this.#openElsewhere(path, mountByName(join(this.path, path)));
    if (place < 0) return describeOpened(place);
    const mount = mountOf(place);
    raw.close(place);
    if (mount.storage === "remote") return this.#openElsewhere(path, mount);
    const fd = raw.openat2(this.#fd, path, READ, 0, resolve);
    return fd === -EAGAIN ? this.#openElsewhere(path, mount) : describeOpened(fd);
  }

  openNear = (path: string): OpenFile | number | Mount => {
    this.#refreshNear();
    if (this.#mount.storage === "remote") return this.#mount;
    const fd = this.#openNear(path);
    // Only a look at the whole path tells where a link with an absolute path leads.
    if (fd === -EXDEV && this.#finds && this.#whole) return this.#mount;
    return typeof fd === "number" ? describeNow(fd) : fd;
  };

  openNow = (path: string): OpenFile | number => {
    this.#refresh();
    const fd = this.#whole
      ? openWhole(this.#fd, path, READ, this.#resolve)
      : this.#walk(path, false) as number;
    if (fd !== -EXDEV || !this.#finds || !this.#whole) return describeNow(fd);
    if (this.#real !== undefined) {
      const found = pathWithoutLinks(this.#fd, this.#real, path);
      return found === undefined ? -EXDEV : describeNow(this.#openReal("", `/${found}`));
    }
    const { realpathSync } = builtin("fs");
    try {
      const root = realpathSync(this.path);
      return describeNow(this.#openReal(root, realpathSync(join(root, path))));
    } catch {
      return -EXDEV;
    }
  };

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#pending === 0) raw.close(this.#fd);
  }

  #openNear(path: string): number | Mount {
    const args = [this.#fd, path, READ, this.#resolve] as const;
    if (this.#cached) return openNear(...args);
    return this.#whole ? openNearByName(...args, join(this.path, path)) : this.#walk(path, true);
  }

  /** Opens the target of a link with an absolute path; never rejects. */
  async #openFound(path: string): Promise<OpenFile | number> {
    const { realpath } = builtin("fs").promises;
    try {
      const root = await realpath(this.path);
      const real = await realpath(join(root, path));
      if (this.#closed) return -EXDEV;
      const mount = mountByName(real);
      if (mount.storage !== "remote") return await describeOpened(this.#openReal(root, real));
      const below = belowReal(root, real);
      if (below === undefined) return -EXDEV;
      const fd = onMount(mount, "openat2", this.#fd, below, READ, 0, RESOLVE.deny);
      return await describeOpened(await fd);
    } catch {
      return -EXDEV;
    }
  }

  /**
   * Opens a path without links. If one has appeared since the path was resolved, the kernel does
   * not follow it. At worst, the path leads to another file of the folder.
   */
  #openReal(root: string, real: string): number {
    const path = belowReal(root, real);
    return path === undefined ? -EXDEV : raw.openat2(this.#fd, path, READ, 0, RESOLVE.deny);
  }

  /** Opens in a thread, which may wait for a disk or another machine. */
  async #openElsewhere(path: string, mount: Mount): Promise<OpenFile | number> {
    this.#pending++;
    let fd: number;
    try {
      const args = [this.#fd, path, READ, 0, this.#resolve] as const;
      fd = mount.storage === "remote"
        ? await onMount(mount, "openat2", ...args)
        : await runBlocking("openat2", ...args);
    } catch {
      // No Worker can be started here.
      fd = -EAGAIN;
    }
    if (fd === -EAGAIN && mount.storage !== "remote") {
      fd = openWhole(this.#fd, path, READ, this.#resolve);
    }
    const found = fd === -EXDEV && this.#finds;
    if (--this.#pending === 0 && this.#closed) raw.close(this.#fd);
    return found ? await this.#openFound(path) : await describeOpened(fd);
  }

  /** For kernels without openat2(2); `follow` leaves all to the kernel. */
  #walk(path: string, near: boolean): number | Mount {
    return this.#resolve !== 0
      ? walk(this.#fd, path, READ, near)
      : (near && farByName(join(this.path, path))) || raw.openat(this.#fd, path, READ, 0);
  }

  #probe(extra: number): boolean {
    const fd = raw.openat2(this.#fd, ".", PATH | CLOEXEC, 0, this.#resolve | extra);
    if (fd >= 0) raw.close(fd);
    // EAGAIN: the call exists, but the folder is not in memory.
    return fd >= 0 || fd === -EAGAIN;
  }

  #isDue(): boolean {
    const now = this.#now();
    if (now - this.#checkedMs < this.#refreshMs || this.#pending > 0) return false;
    if (now === this.#checkedMs) return false;
    if (this.#fixed || this.#closed) return false;
    this.#checkedMs = now;
    return true;
  }

  #refresh(): void {
    if (this.#isDue()) this.#adopt(openFolder(this.path));
  }

  /** The same; if another machine must be asked, threads of its mount open the file. */
  #refreshNear(): void {
    if (!this.#isDue()) return;
    const fd = openFolderNear(this.path);
    if (typeof fd !== "number") return void (this.#mount = fd);
    this.#adopt(fd);
    this.#mount = mountOf(this.#fd);
  }

  /** Does the same without waiting: a remote folder is checked in a thread. */
  #refreshSoon(): void {
    if (!this.#isDue()) return;
    const { atFdcwd } = platform;
    const flags = PATH | DIRECTORY | CLOEXEC;
    const fd = raw.openat2(atFdcwd, this.path, flags, 0, ResolveFlag.CACHED);
    if (fd !== -EAGAIN) return this.#adopt(fd);
    const mount = mountByName(this.path);
    if (mount.storage !== "remote") return this.#adopt(openFolder(this.path));
    onMount(mount, "open", this.path, flags, 0).then(
      (fd) => this.#pending > 0 || this.#closed ? fd >= 0 && raw.close(fd) : this.#adopt(fd),
      () => {},
    );
  }

  /** Switches to the folder that has this path now. */
  #adopt(fd: number): void {
    // The path may be missing during a deployment. The old folder stays until then.
    if (fd < 0) return;
    if (sameFile(fd, this.#fd)) return void raw.close(fd);
    raw.close(this.#fd);
    this.#fd = fd;
    this.#mount = mountOf(fd);
  }
}
