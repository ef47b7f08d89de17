/** A root by system calls: the kernel keeps lookups below the folder. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { builtin } from "../builtins.ts";
import { errnoNumber } from "../errors.ts";
import { describe } from "../options.ts";
import { check } from "../sys/check.ts";
import { ResolveFlag } from "../sys/file_flags.ts";
import * as raw from "../sys/raw/mod.ts";
import { fdIdentity, type FileIdentity, FileType } from "../sys/statx.ts";
import { runBlocking } from "../wait/blocking.ts";
import { pathWithoutLinks } from "./links.ts";
import type { Representation } from "./plan/representation.ts";
import type { OpenFile, Root, Symlinks } from "./root.ts";

const { DIRECTORY, NOFOLLOW, NONBLOCK, NOCTTY, CLOEXEC, PATH } = platform.open;
/** NONBLOCK, because opening a FIFO waits for its writer; on a file it changes nothing. */
const READ = NONBLOCK | NOCTTY | CLOEXEC;

const EAGAIN = errnoNumber("EAGAIN");
const EINVAL = errnoNumber("EINVAL");
const ELOOP = errnoNumber("ELOOP");
const EXDEV = errnoNumber("EXDEV");
const ENOENT = errnoNumber("ENOENT");

/** The kernel says EAGAIN when something is renamed just while it follows `..` in a link. */
const TRIES = 16;

/** How often the path is looked up again, to see whether another folder has been put in its place. */
const REFRESH_MS = 1000;

const RESOLVE: Readonly<Record<Symlinks, number>> = {
  inside: ResolveFlag.BENEATH | ResolveFlag.NO_MAGICLINKS,
  deny: ResolveFlag.BENEATH | ResolveFlag.NO_MAGICLINKS | ResolveFlag.NO_SYMLINKS,
  follow: ResolveFlag.NO_MAGICLINKS,
};

/** How a root is opened. */
export interface NativeRootOptions {
  /** Whether to do without openat2(2), as on old kernels. */
  readonly walk?: boolean;
  /** Whether it stays this folder, whatever takes its path. */
  readonly fixed?: boolean;
}

/** A root by system calls. */
export class NativeRoot implements Root {
  readonly path: string;
  readonly #resolve: number;
  /** Opens by `openat2`, or name by name; bound to one of the two at the start. */
  readonly #whole: boolean;
  readonly #fixed: boolean;
  /** Whether links with absolute paths are looked into. */
  readonly #finds: boolean;
  /** Whether the kernel can be asked for what needs no disk: Linux 5.12. */
  readonly #cached: boolean;
  /** The real path of the folder, if it is fixed. */
  readonly #real: string | undefined;
  #fd: number;
  #identity: FileIdentity;
  #checkedMs = performance.now();
  /** Calls in another thread that use the descriptor of the folder. */
  #pending = 0;
  #closed = false;

  constructor(path: string, symlinks: Symlinks, options: NativeRootOptions = {}) {
    const { fixed = false, walk = false } = options;
    this.path = path;
    this.#fixed = fixed;
    this.#finds = symlinks === "inside";
    this.#resolve = RESOLVE[symlinks];
    this.#fd = check(openFolder(path), "open", () => `open the folder ${describe(path)}`);
    this.#identity = fdIdentity(this.#fd) as FileIdentity;
    this.#real = fixed ? builtin("fs").realpathSync(path) : undefined;
    this.#whole = !walk && this.#probe(0);
    this.#cached = this.#whole && this.#probe(ResolveFlag.CACHED);
    // Without the call there is nothing that could follow links safely, unless all may be.
    if (!this.#whole && symlinks === "follow") this.#resolve = 0;
  }

  open(path: string): OpenFile | number | Promise<OpenFile | number> {
    this.#refresh();
    if (!this.#cached) return this.openNow(path);
    const fd = raw.openat2(this.#fd, path, READ, 0, this.#resolve | ResolveFlag.CACHED);
    if (fd === -EXDEV && this.#finds) return this.#openFound(path);
    return fd === -EAGAIN ? this.#openElsewhere(path) : describeFd(fd);
  }

  openNow = (path: string): OpenFile | number => {
    this.#refresh();
    const fd = this.#whole ? this.#openWhole(path) : this.#walk(path);
    if (fd !== -EXDEV || !this.#finds || !this.#whole) return describeFd(fd);
    if (this.#real !== undefined) {
      const found = pathWithoutLinks(this.#fd, this.#real, path);
      return found === undefined ? -EXDEV : this.#openReal("", `/${found}`);
    }
    const { realpathSync } = builtin("fs");
    try {
      const root = realpathSync(this.path);
      return this.#openReal(root, realpathSync(join(root, path)));
    } catch {
      return -EXDEV;
    }
  };

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#pending === 0) raw.close(this.#fd);
  }

  #openWhole(path: string): number {
    let fd = -EAGAIN;
    for (let tries = 0; fd === -EAGAIN && tries < TRIES; tries++) {
      fd = raw.openat2(this.#fd, path, READ, 0, this.#resolve);
    }
    return fd;
  }

  /** What a link with an absolute path leads to; never rejects. */
  async #openFound(path: string): Promise<OpenFile | number> {
    const { realpath } = builtin("fs").promises;
    try {
      const root = await realpath(this.path);
      const real = await realpath(join(root, path));
      return this.#closed ? -EXDEV : this.#openReal(root, real);
    } catch {
      return -EXDEV;
    }
  }

  /**
   * Opens by a path without links. Whatever has been put in its way since it was found out, the kernel
   * does not follow it: it can lead to another file of the folder at most.
   */
  #openReal(root: string, real: string): OpenFile | number {
    const below = root.endsWith("/") ? root : `${root}/`;
    if (real !== root && !real.startsWith(below)) return -EXDEV;
    const path = real.slice(below.length) || ".";
    return describeFd(raw.openat2(this.#fd, path, READ, 0, RESOLVE.deny));
  }

  /** In a thread, where the disk holds nobody up. */
  async #openElsewhere(path: string): Promise<OpenFile | number> {
    this.#pending++;
    let fd: number;
    try {
      fd = await runBlocking("openat2", this.#fd, path, READ, 0, this.#resolve);
    } catch {
      // Workers cannot be started here.
      fd = -EAGAIN;
    }
    if (fd === -EAGAIN) fd = this.#openWhole(path);
    const found = fd === -EXDEV && this.#finds;
    if (--this.#pending === 0 && this.#closed) raw.close(this.#fd);
    return found ? await this.#openFound(path) : describeFd(fd);
  }

  /** Name by name, none of them through a link; `follow` may leave all to the kernel. */
  #walk(path: string): number {
    if (this.#resolve === 0) return raw.openat(this.#fd, path, READ, 0);
    const names = path.split("/");
    const last = names.pop()!;
    let folder = this.#fd;
    for (const name of names) {
      const next = name === ".."
        ? -ELOOP
        : raw.openat(folder, name, PATH | DIRECTORY | NOFOLLOW | CLOEXEC, 0);
      if (folder !== this.#fd) raw.close(folder);
      if (next < 0) return next;
      folder = next;
    }
    const fd = last === ".." ? -ELOOP : raw.openat(folder, last, READ | NOFOLLOW, 0);
    if (folder !== this.#fd) raw.close(folder);
    return fd;
  }

  #probe(extra: number): boolean {
    const fd = raw.openat2(this.#fd, ".", PATH | CLOEXEC, 0, this.#resolve | extra);
    if (fd >= 0) raw.close(fd);
    // EAGAIN: the call is there, only the folder is not in memory.
    return fd >= 0 || fd === -EAGAIN;
  }

  #refresh(): void {
    const now = performance.now();
    if (now - this.#checkedMs < REFRESH_MS || this.#pending > 0) return;
    if (this.#fixed || this.#closed) return;
    this.#checkedMs = now;
    const fd = openFolder(this.path);
    // While a deployment is under way there may be nothing; the old folder will do.
    if (fd < 0) return;
    const identity = fdIdentity(fd);
    const { inode, device } = this.#identity;
    if (typeof identity === "number" || (identity.inode === inode && identity.device === device)) {
      raw.close(fd);
      return;
    }
    raw.close(this.#fd);
    this.#fd = fd;
    this.#identity = identity;
  }
}

function join(root: string, path: string): string {
  return path === "." ? root : `${root}/${path}`;
}

function openFolder(path: string): number {
  return raw.open(path, PATH | DIRECTORY | CLOEXEC, 0);
}

/** What a descriptor is of; closes what is neither a file nor a folder. */
function describeFd(fd: number): OpenFile | number {
  // EINVAL is what a file of a strange kind may answer: nothing that can be served.
  if (fd < 0) return fd === -EINVAL ? -ENOENT : fd;
  const identity = fdIdentity(fd);
  if (typeof identity === "number") {
    raw.close(fd);
    return identity;
  }
  const { type, size, mtimeNs } = identity;
  if (type !== FileType.REGULAR && type !== FileType.DIRECTORY) {
    raw.close(fd);
    return -ENOENT;
  }
  return new NativeFile(fd, type === FileType.DIRECTORY, size, mtimeNs);
}

class NativeFile implements OpenFile {
  readonly fd: number;
  readonly folder: boolean;
  readonly size: number;
  readonly mtimeNs: bigint;
  described?: Representation;
  #open = true;

  constructor(fd: number, folder: boolean, size: number, mtimeNs: bigint) {
    this.fd = fd;
    this.folder = folder;
    this.size = size;
    this.mtimeNs = mtimeNs;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    raw.close(this.fd);
  }
}
