/** Opens a file past the page cache, or through it as a fallback. @module */

import type { Stats } from "node:fs";
import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import type { Checked, Names } from "../../checked.ts";
import { EINVAL, EOPNOTSUPP } from "../../errno.ts";
import {
  asSyscallError,
  errnoName,
  errnoNumber,
  SyscallError,
  UnsupportedError,
} from "../../errors.ts";
import { checkObject, describe } from "../../options.ts";
import { check } from "../../sys/check.ts";
import { OpenFlag, Whence } from "../../sys/flags/file.ts";
import { available } from "../../sys/libc.ts";
import type { Mount } from "../../sys/file/mounts.ts";
import * as raw from "../../sys/raw/mod.ts";
import { decodeStatx, type Statx, statx, StatxFlag, StatxMask } from "../../sys/file/stat.ts";
import { FileType } from "../../sys/file/statx.ts";
import { closeOn, onMount } from "../../threads/blocking/files.ts";
import { deviceSizeByReading } from "../../move/engine/file/device_size.ts";
import { lookAt } from "../../threads/blocking/opening.ts";
import { ioQueue } from "../../threads/io_queue/io_queue.ts";
import { alignmentOf } from "./alignment.ts";
import { runtimeFile, systemFile } from "./backing.ts";
import { Channel, type DirectMode } from "./channel.ts";
import { holdsMore, readByThreads } from "./lengthless.ts";

/** Options of {@linkcode DirectFile.open}. */
export interface DirectFileOptions {
  /**
   * `"read"`, or `"write"`, which also allows reading: partly written blocks must be read first.
   *
   * @default {"read"}
   */
  access?: "read" | "write" | undefined;
  /** Creates a missing file; needs `access: "write"`. @default {false} */
  create?: boolean | undefined;
  /** Fails if the file exists (`O_EXCL`); needs `create`. @default {false} */
  exclusive?: boolean | undefined;
  /** Empties the file; needs `access: "write"`. @default {false} */
  truncate?: boolean | undefined;
  /** Permissions of a file that is created, minus the umask. @default {0o666} */
  permissions?: number | undefined;
  /**
   * `"direct"` fails if the page cache cannot be bypassed; `"buffered"` uses the page cache.
   *
   * @default {"auto"}
   */
  mode?: Exclude<DirectMode, "copy"> | "auto" | undefined;
}

/** Names of the options in {@linkcode DirectFileOptions}. */
export const OPEN_OPTIONS: Names<DirectFileOptions> = {
  access: true,
  create: true,
  exclusive: true,
  mode: true,
  permissions: true,
  truncate: true,
};

/** Opens a file as the options say. */
export async function openChannel(
  path: string | URL,
  options: Checked<DirectFileOptions>,
): Promise<Channel> {
  const name = pathOf(path);
  checkObject(options, `open ${describe(name)}`);
  const { mode = "auto" } = options;
  const flags = flagsOf(options, name) | OpenFlag.CLOEXEC;
  const permissions = options.permissions ?? 0o666;
  if (!available()) return openPortable(name, options, flags, permissions);
  const queue = ioQueue();
  const action = () => `open "${name}"`;
  // Without O_NONBLOCK, opening a FIFO waits for its other end.
  const waitless = flags | OpenFlag.NONBLOCK;
  const place = platform.os === "linux" ? lookAt(name).mount : undefined;
  const far = place?.storage === "remote" ? place : undefined;
  const open = (how: number) =>
    far === undefined
      ? raw.open(name, how, permissions)
      : onMount(far, "open", name, how, permissions);
  let fd = -1;
  if (mode !== "buffered" && OpenFlag.DIRECT !== 0) {
    fd = await open(waitless | OpenFlag.DIRECT);
    // The first open may have created the file before it failed, so the retry drops O_EXCL.
    if (fd === EINVAL || fd === EOPNOTSUPP) {
      fd = mode === "direct" ? fd : await open(waitless & ~OpenFlag.EXCL);
    }
  } else fd = await open(waitless);
  if (mode === "direct" && (fd === EINVAL || fd === EOPNOTSUPP || OpenFlag.DIRECT === 0)) {
    if (fd >= 0) raw.close(fd);
    throw refusal(name, `its file system has no direct I/O${fd < 0 ? ` (${errnoName(-fd)})` : ""}`);
  }
  check(fd, "open", action);
  try {
    const stat = await statOf(fd, far, action);
    assertFile(stat.mode & 0o170000, name);
    const got = check(raw.fcntl(fd, platform.fcntl.GETFL, 0), "fcntl", action);
    check(raw.fcntl(fd, platform.fcntl.SETFL, got & ~OpenFlag.NONBLOCK), "fcntl", action);
    const more = await holdsMore(fd, stat, got & ~OpenFlag.NONBLOCK, far, action);
    if (more && mode === "direct") throw refusal(name, "it holds more bytes than it tells");
    const direct = (got & OpenFlag.DIRECT) !== 0 && !more;
    const size = far === undefined ? raw.lseek(fd, 0, Whence.END) : stat.size;
    const alignment = direct
      ? await alignmentOf(fd, stat, size, queue, far !== undefined)
      : { memory: 1, offset: 1 };
    const file = systemFile(fd, queue, far);
    const backing = more ? readByThreads(file, fd, far!) : file;
    return new Channel({ backing, name, alignment, mode: direct ? "direct" : "buffered" });
  } catch (error) {
    if (far === undefined) raw.close(fd);
    else closeOn(far, fd);
    throw error;
  }
}

async function statOf(fd: number, far: Mount | undefined, action: () => string): Promise<Statx> {
  const { BASIC_STATS, DIOALIGN } = StatxMask;
  if (far === undefined) return statx(fd, "", StatxFlag.EMPTY_PATH, BASIC_STATS | DIOALIGN);
  const answer = new SharedArrayBuffer(256);
  check(await onMount(far, "statInto", fd, answer, DIOALIGN), "statx", action);
  return decodeStatx(new DataView(answer));
}

/** Opens by the runtime's own calls, without control of the page cache. */
async function openPortable(
  name: string,
  { mode = "auto" }: DirectFileOptions,
  flags: number,
  permissions: number,
): Promise<Channel> {
  const reason = "foreign calls are unavailable here, and the runtime has no equivalent";
  if (mode !== "auto") {
    throw new UnsupportedError({
      action: `open "${name}" in mode "${mode}"`,
      reason: `${reason}; leave out the mode, or see capabilities()`,
    });
  }
  const fs = builtin("fs");
  let fd = -1;
  let deviceSize: number | undefined;
  try {
    fd = await waited((call) => fs.open(name, flags | OpenFlag.NONBLOCK, permissions, call));
    const { mode } = await waited<Stats>((call) => fs.fstat(fd, call));
    const type = mode & 0o170000;
    assertFile(type, name);
    if (type === FileType.BLOCK) deviceSize = await deviceSizeByReading(fd);
  } catch (error) {
    if (fd >= 0) fs.close(fd, () => {});
    throw asSyscallError(error as Error, "open", `open "${name}"`);
  }
  const alignment = { memory: 1, offset: 1 };
  return new Channel({ backing: runtimeFile(fd, deviceSize), name, alignment, mode: "copy" });
}

function waited<T>(start: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => error ? reject(error) : resolve(value));
  });
}

function pathOf(path: string | URL): string {
  if (path instanceof URL) return builtin("url").fileURLToPath(path);
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return path;
  throw new TypeError(`Cannot open ${describe(path)}: expected a path or a file: URL`);
}

function flagsOf(options: Checked<DirectFileOptions>, name: string): number {
  const { access = "read", create = false, exclusive = false, truncate = false } = options;
  const { mode = "auto", permissions = 0o666 } = options;
  if (access !== "read" && access !== "write") {
    throw new TypeError(`Cannot open "${name}": access is ${describe(access)}, not read or write`);
  }
  if (mode !== "auto" && mode !== "direct" && mode !== "buffered") {
    throw new TypeError(
      `Cannot open "${name}": mode is ${describe(mode)}, not auto, direct or buffered`,
    );
  }
  if (!Number.isInteger(permissions) || permissions < 0 || permissions > 0o7777) {
    throw new RangeError(
      `Cannot open "${name}": permissions are ${describe(permissions)}, but must be in 0..0o7777`,
    );
  }
  if (access === "read" && (create || exclusive || truncate)) {
    throw new TypeError(
      `Cannot open "${name}": create, exclusive and truncate need access "write"`,
    );
  }
  if (exclusive && !create) throw new TypeError(`Cannot open "${name}": exclusive needs create`);
  return (access === "write" ? OpenFlag.RDWR : OpenFlag.RDONLY) |
    (create ? OpenFlag.CREAT : 0) | (exclusive ? OpenFlag.EXCL : 0) |
    (truncate ? OpenFlag.TRUNC : 0);
}

function assertFile(type: number, name: string): void {
  if (type === FileType.REGULAR || type === FileType.BLOCK) return;
  if (type === FileType.DIRECTORY) {
    throw new SyscallError({
      syscall: "open",
      errno: errnoNumber("EISDIR"),
      action: `open "${name}" as a file`,
    });
  }
  throw new TypeError(`Cannot open "${name}": it is neither a file nor a block device`);
}

function refusal(name: string, reason: string): UnsupportedError {
  return new UnsupportedError({
    action: `open "${name}" past the page cache`,
    reason: `${reason}; leave out mode: "direct"`,
  });
}
