/** One file that a program names, for `respondWithFile` and `fileResponse`. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { SyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { available } from "../../sys/libc.ts";
import { planMessage } from "../rules/messages.ts";
import type { PlanOptions } from "../rules/options.ts";
import { type Settings, settingsOf } from "../rules/settings.ts";
import type { Dotfiles } from "../rules/target.ts";
import type { PlanRequest } from "../rules/types.ts";
import { lookUpFile } from "./look_up.ts";
import { search } from "./search.ts";
import { openNamed } from "./native_file.ts";
import { type OpenFile, openRoot, type Root, type Symlinks } from "./open_root.ts";
import { openPath } from "./portable_root.ts";
import { type Answer, folderOf } from "./static_root.ts";

/** Options of {@linkcode fileResponse}. */
export interface FileResponseOptions extends PlanOptions {
  /**
   * Folder that `path`, relative to it, cannot leave. The kernel enforces this, whatever is renamed
   * or linked. Set it for paths that untrusted input can influence. It stays open from the first
   * call on.
   */
  readonly root?: string | undefined;
  /** Which symbolic links to follow below `root`. @default {"inside"} */
  readonly symlinks?: Symlinks | undefined;
  /**
   * Treatment of names below `root` that begin with a dot, except `.well-known` (RFC 8615):
   * `"ignore"` answers 404, `"deny"` answers 403.
   *
   * @default {"ignore"}
   */
  readonly dotfiles?: Dotfiles | undefined;
}

/** Open roots, by policy and path. A program has few. */
const roots = new Map<string, Root>();

/** One object, so that the options of all calls without any are checked once. */
const NO_OPTIONS: FileResponseOptions = {};

/** A file for one request. */
export class OneFile {
  readonly settings: Settings;
  readonly #name: string;
  readonly #root: Root | undefined;
  #errno = 0;

  constructor(path: string | URL, options: FileResponseOptions = NO_OPTIONS) {
    this.settings = settingsOf(options);
    if (this.settings.versions !== "") {
      throw new TypeError("Cannot send one file: precompressedRoot is an option of folders");
    }
    const { root, symlinks } = options;
    this.#root = root === undefined ? undefined : rootOf(root, symlinks);
    this.#name = nameOf(path, root);
  }

  /** Finds the file, and plans the response. */
  find(request: PlanRequest): Answer | Promise<Answer> {
    const status = this.#root === undefined ? 200 : refusal(this.#name, this.settings.dotfiles);
    if (status !== 200) return { kind: "message", plan: planMessage(request, status) };
    return search(lookUpFile(request, this.#name, this.settings), (path) => this.#open(path));
  }

  /** All targets lead to this file. */
  below(): string {
    return "/";
  }

  /** Returns the path for a path that `find()` reports. */
  pathOf(path: string): string {
    return this.#root === undefined ? path : builtin("path").join(this.#root.path, path);
  }

  /** Returns why the file could not be opened; `undefined` if that was not the reason. */
  failure(): SyscallError | undefined {
    if (this.#errno === 0) return undefined;
    const action = `open ${describe(this.pathOf(this.#name))}`;
    return new SyscallError({ syscall: "open", errno: this.#errno, action });
  }

  #open(path: string): OpenFile | number | Promise<OpenFile | number> {
    const opened = this.#root === undefined ? openAny(path) : this.#root.open(path);
    return opened instanceof Promise
      ? opened.then((later) => this.#remember(later))
      : this.#remember(opened);
  }

  #remember(opened: OpenFile | number): OpenFile | number {
    if (typeof opened === "number") this.#errno ||= -opened;
    return opened;
  }
}

/** Opens by system calls if possible: runtimes close files on the event loop, or not at all. */
function openAny(path: string): Promise<OpenFile | number> {
  return available() && platform.os === "linux" ? openNamed(path) : openPath(path);
}

function nameOf(path: string | URL, root: string | undefined): string {
  if (root !== undefined && typeof path === "string") {
    // `req.path` and its like begin with a slash.
    return path.replace(/^\/+/, "") || ".";
  }
  if (path instanceof URL && root === undefined) return builtin("url").fileURLToPath(path);
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return path;
  throw new TypeError(`Cannot send ${describe(path)}: expected a path or a file: URL`);
}

/** Returns the status to refuse a path below a root with; 200 to accept it. */
function refusal(path: string, dotfiles: Dotfiles): number {
  // NUL would end the path for the kernel, and is never part of a name.
  if (path.includes("\0")) return 400;
  if (dotfiles === "allow") return 200;
  const hidden = path.split("/").some((name, depth) =>
    name[0] === "." && name !== "." && name !== ".." && !(depth === 0 && name === ".well-known")
  );
  return !hidden ? 200 : dotfiles === "deny" ? 403 : 404;
}

function rootOf(path: string, symlinks: Symlinks = "inside"): Root {
  // Absolute, because the current folder may change.
  const folder = folderOf(path);
  const key = JSON.stringify([symlinks, folder]);
  let root = roots.get(key);
  if (root === undefined) roots.set(key, root = openRoot(folder, symlinks));
  return root;
}
