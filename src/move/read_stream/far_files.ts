/** Stands in for `node:fs` in a stream whose file may answer late or never. @module */

import { guardsPaths } from "../../../ffi/mod.ts";
import { builtin } from "../../builtins.ts";
import { EAGAIN } from "../../errno.ts";
import { SyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { OpenFlag } from "../../sys/flags/file.ts";
import type { Mount } from "../../sys/file/mounts.ts";
import { available } from "../../sys/libc.ts";
import { onMount, readRemote } from "../../threads/blocking/files.ts";
import { mountOfPath } from "../../threads/blocking/opening.ts";

type Callback = (error: Error | null, result?: number, bytes?: Uint8Array) => void;

/** What `fs.ReadStream` takes as its option `fs`. */
export interface FarFiles {
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

/**
 * Functions for a path on NFS, SMB or FUSE: they run in threads of its mount. The runtime waits for its
 * own threads before the process ends, and one that waits for a mount without a server never returns.
 *
 * @returns `undefined` for files of this machine, and where only the runtime may open files.
 */
export function farFiles(path: unknown): FarFiles | undefined {
  const name = path instanceof URL && path.protocol === "file:"
    ? builtin("url").fileURLToPath(path)
    : path;
  if (typeof name !== "string" || name === "" || name.includes("\0")) return undefined;
  if (!available() || guardsPaths()) return undefined;
  const mount = mountOfPath(name);
  return mount.storage === "remote" ? onFarMount(mount, name) : undefined;
}

function onFarMount(mount: Mount, path: string): FarFiles {
  let next = 0;
  const failure = (syscall: string, errno: number) =>
    new SyscallError({ syscall, errno, action: `${syscall} ${describe(path)}` });
  const report = (call: Promise<number>, syscall: string, callback: Callback) =>
    void call.then((count) => {
      if (count < 0) callback(failure(syscall, -count));
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
