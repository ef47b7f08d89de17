/** Stands in for `node:fs` in a stream, where that is faster or cannot wait for another machine. @module */

import { guardsPaths } from "../../../ffi/mod.ts";
import { builtin } from "../../builtins.ts";
import { EAGAIN } from "../../errno.ts";
import { SyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { preadResident } from "../../page_cache/resident.ts";
import { OpenFlag, Whence } from "../../sys/flags/file.ts";
import type { Mount } from "../../sys/file/mounts.ts";
import { FileType } from "../../sys/file/statx.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { givesDescriptors, takesDescriptors } from "../../threads/blocking/file_numbers.ts";
import { localStatus, onMount, readRemote } from "../../threads/blocking/files.ts";
import { lookAt, OPENING, openNow } from "../../threads/blocking/opening.ts";

type Callback = (error: Error | null, result?: number, bytes?: Uint8Array) => void;

/** What `fs.ReadStream` takes as its option `fs`. */
export interface StreamFiles {
  open(path: unknown, flags: unknown, mode: unknown, callback: Callback): void;
  read(
    fd: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number | null | undefined,
    callback: Callback,
  ): void;
  close(fd: number, callback: Callback): void;
}

/** Milliseconds until a pipe without data is asked again. */
const AGAIN_MS = 20;

/** Largest file that is read on this thread, in bytes: that costs less than to wake another one. */
const MOST_HERE = 128 * 1024;

/**
 * Functions for a path. Small files of this machine are opened, read and closed on this thread, as long
 * as the kernel has everything in its caches. For files on NFS, SMB and FUSE, threads of their mount do
 * it: the runtime waits for its own threads before the process ends, and one that waits for a mount
 * without a server never returns.
 *
 * @returns `undefined` for other files, and where only the runtime may open files.
 */
export function filesFor(path: unknown): StreamFiles | undefined {
  const name = path instanceof URL && path.protocol === "file:"
    ? builtin("url").fileURLToPath(path)
    : path;
  if (typeof name !== "string" || name === "" || name.includes("\0")) return undefined;
  if (!available() || guardsPaths()) return undefined;
  const { facts, mount } = lookAt(name);
  if (mount.storage === "remote") return onFarMount(mount, name);
  const small = facts?.type === FileType.REGULAR && facts.size <= MOST_HERE;
  return small ? onThisThread(name) : undefined;
}

/** Whether files are opened here: as long as the runtime takes such descriptors. */
let opens = true;

function onThisThread(path: string): StreamFiles {
  const fs = builtin("fs");
  let own = -1;
  let left = MOST_HERE;
  return {
    open(_path, flags, mode, callback) {
      const fd = opens ? openNow(path, OPENING) : null;
      if (typeof fd !== "number") return fs.open(path, flags as string, mode as number, callback);
      opens = takesDescriptors(fd);
      if (!opens) {
        raw.close(fd);
        return fs.open(path, flags as string, mode as number, callback);
      }
      own = fd;
      // A turn later: then the answers of a turn leave together, and their clients wake up once.
      setImmediate(() => callback(null, fd));
    },
    read(fd, bytes, offset, length, position, callback) {
      const target = bytes.subarray(offset, offset + length);
      const reads = left > 0 && (fd === own || givesDescriptors(fd));
      const count = reads ? readNow(fd, target, position ?? undefined) : EAGAIN;
      if (count < 0) return fs.read(fd, bytes, offset, length, position ?? null, callback);
      // A file that has grown is left to another thread in the end.
      left -= count;
      queueMicrotask(() => callback(null, count, bytes));
    },
    close(fd, callback) {
      if (fd !== own) return fs.close(fd, callback);
      own = -1;
      const closed = raw.close(fd);
      queueMicrotask(() => callback(closed < 0 ? failure("close", -closed, path) : null));
    },
  };
}

/**
 * Reads like read(2), or pread(2) with a `position`, but only all that it would ever return: otherwise
 * `-errno`, and nothing has happened. That there is nothing more is for the runtime to find out: programs
 * put back what they have read before the stream ends.
 */
function readNow(fd: number, target: Uint8Array, position: number | undefined): number {
  const at = position ?? raw.lseek(fd, 0, Whence.CUR);
  if (at < 0) return at;
  const count = preadResident(fd, target, at);
  if (count <= 0) return count === 0 ? EAGAIN : count;
  if (count < target.length) {
    // The end of the file, or pages that are not in the cache.
    const status = localStatus(fd);
    if (typeof status !== "object" || at + count < status.size) return EAGAIN;
  }
  if (position === undefined) raw.lseek(fd, at + count, Whence.SET);
  return count;
}

function onFarMount(mount: Mount, path: string): StreamFiles {
  let next = 0;
  const report = (call: Promise<number>, syscall: string, callback: Callback) =>
    void call.then((count) => {
      if (count < 0) callback(failure(syscall, -count, path));
      else callback(null, count);
    }, callback);
  return {
    open: (_path, _flags, _mode, callback) =>
      report(onMount(mount, "open", path, OpenFlag.RDONLY | OpenFlag.CLOEXEC, 0), "open", callback),
    read(fd, bytes, offset, length, position, callback) {
      const target = bytes.subarray(offset, offset + length);
      const attempt = async (): Promise<number> => {
        const count = await readRemote(fd, target, position ?? next, mount);
        if (count !== EAGAIN) return count;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        return attempt();
      };
      report(attempt(), "read", (error, count = 0) => {
        if (error !== null) return callback(error);
        if (position === null || position === undefined) next += count;
        callback(null, count, bytes);
      });
    },
    close: (fd, callback) => report(onMount(mount, "close", fd), "close", callback),
  };
}

function failure(syscall: string, errno: number, path: string): SyscallError {
  return new SyscallError({ syscall, errno, action: `${syscall} ${describe(path)}` });
}
