/** A file that is being uploaded: hidden until it is complete. @module */

import { platform } from "../../../../ffi/platform/mod.ts";
import { builtin } from "../../../builtins.ts";
import { EEXIST, EINVAL, EIO, EISDIR, ENOENT, ENOSPC, ENOSYS } from "../../../errno.ts";
import { spliceStep } from "../../../move/engine/step/splice.ts";
import { OpenFlag } from "../../../sys/flags/file.ts";
import { factsOf, FileType } from "../../../sys/file/statx.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { nameWritten, openUnnamed } from "../../../threads/blocking/unnamed_file.ts";
import { hiddenName } from "../../upload/rules.ts";
import type { NewFile } from "./messages.ts";

const { CLOEXEC, CREAT, EXCL, NOFOLLOW, WRONLY } = OpenFlag;
const MODE = 0o666;
const RENAME_NOREPLACE = 1;

/** Bytes of one copy, if splice(2) cannot write to the file system. */
const COPY_BYTES = 64 * 1024;

let memory: Uint8Array | undefined;

/**
 * A file without a name (`O_TMPFILE`), or with a hidden one where the file system lacks that. The
 * folder stays open, so a rename of it does not matter.
 */
export class StoredFile {
  readonly #folder: number;
  readonly #file: NewFile;
  readonly #fd: number;
  /** Hidden name; `undefined` for a file without a name. */
  readonly #hidden: string | undefined;
  #splices = true;

  private constructor(folder: number, file: NewFile, fd: number, hidden: string | undefined) {
    this.#folder = folder;
    this.#file = file;
    this.#fd = fd;
    this.#hidden = hidden;
  }

  /** Begins a file in an open folder, which it then owns; or `-errno`. */
  static begin(folder: number, file: NewFile): StoredFile | number {
    const refused = refuse(folder, file);
    let fd = refused < 0 ? refused : openUnnamed(folder, MODE);
    let hidden: string | undefined;
    // EISDIR: a kernel or file system that does not know the flag opens the folder instead.
    if (fd < 0 && refused === 0 && fd !== ENOSPC) {
      hidden = hiddenName();
      fd = raw.openat(folder, hidden, CREAT | EXCL | WRONLY | NOFOLLOW | CLOEXEC, MODE);
    }
    if (fd >= 0) return new StoredFile(folder, file, fd, hidden);
    raw.close(folder);
    return fd;
  }

  /** Moves `count` bytes, which are in the pipe, to the end of the file; their number, or `-errno`. */
  store(pipe: number, count: number): number {
    let left = count;
    while (left > 0) {
      const moved = this.#splices
        ? spliceStep(pipe, null, this.#fd, null, left)
        : this.#copy(pipe, left);
      if (moved === EINVAL && this.#splices) this.#splices = false;
      else if (moved <= 0) return moved === 0 ? EIO : moved;
      else left -= moved;
    }
    return count;
  }

  /** Gives the file its name: 0, 1 if it replaces another, or `-errno`. Closes it. */
  finish(): number {
    const existed = exists(this.#folder, this.#file.name);
    const named = existed === EISDIR ? EISDIR : this.#name();
    if (named < 0) this.discard();
    else this.#close();
    return named < 0 ? named : existed === EEXIST ? 1 : 0;
  }

  /** Removes the file. */
  discard(): void {
    if (this.#hidden !== undefined) raw.unlinkat(this.#folder, this.#hidden, 0);
    this.#close();
  }

  #name(): number {
    const { name, overwrite } = this.#file;
    const folder = this.#folder;
    if (this.#hidden === undefined) {
      return nameWritten(this.#fd, folder, hiddenName(), name, overwrite ? 1 : 0);
    }
    // Some file systems report a full disk only when the file is closed.
    const other = raw.fcntl(this.#fd, platform.fcntl.DUPFD_CLOEXEC, 0);
    const closed = other < 0 ? other : raw.close(other);
    if (closed < 0) return closed;
    if (overwrite) return raw.renameat(folder, this.#hidden, folder, name);
    const renamed = raw.renameat2(folder, this.#hidden, folder, name, RENAME_NOREPLACE);
    if (renamed !== EINVAL && renamed !== ENOSYS) return renamed;
    // NFS does not know the flag, but links.
    const linked = raw.linkat(folder, this.#hidden, folder, name, 0);
    if (linked === 0) raw.unlinkat(folder, this.#hidden, 0);
    return linked;
  }

  #copy(pipe: number, left: number): number {
    memory ??= new Uint8Array(COPY_BYTES);
    const read = raw.read(pipe, memory.subarray(0, Math.min(left, COPY_BYTES)));
    let written = 0;
    while (written < read) {
      const count = raw.write(this.#fd, memory.subarray(written, read));
      if (count <= 0) return count;
      written += count;
    }
    return read;
  }

  #close(): void {
    raw.close(this.#fd);
    raw.close(this.#folder);
  }
}

/** Refuses what cannot succeed before the client sends it: 0, or `-errno`. */
function refuse(folder: number, { bytes, existing, name, overwrite }: NewFile): number {
  const found = exists(folder, name);
  if (found === EISDIR || found < 0 && found !== EEXIST && found !== ENOENT) return found;
  if (found === EEXIST && !overwrite) return EEXIST;
  if (found === ENOENT && existing) return ENOENT;
  return bytes > freeBytes(folder) ? ENOSPC : 0;
}

/** `EEXIST`, `EISDIR` for a folder, `ENOENT`, or another `-errno`. */
function exists(folder: number, name: string): number {
  const facts = factsOf(folder, name);
  if (typeof facts === "number") return facts;
  return facts.type === FileType.DIRECTORY ? EISDIR : EEXIST;
}

/** Free bytes of the file system, as far as the runtime tells. */
function freeBytes(folder: number): number {
  try {
    const { bavail, bsize } = builtin("fs").statfsSync(`/proc/self/fd/${folder}`);
    return bavail * bsize;
  } catch {
    return Infinity;
  }
}
