/** Reports changes of files: inotify(7), Linux only. @module */

import { flagsOf, integer, MAX_INT, unsignedOf } from "./arguments.ts";
import { check } from "./check.ts";
import { type FdLike, fdOf } from "./fd.ts";
import { describe } from "../options.ts";
import * as raw from "./raw/mod.ts";

/**
 * Creates a queue of file events, which `read()` takes out: see inotify(7) for their layout.
 *
 * @param flags Bits of `InotifyFlag`. Default: 0.
 * @returns The descriptor of the queue; the caller closes it.
 *
 * @throws {RangeError} When `flags` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EINVAL` for other flags; `EMFILE` when the user has too many queues (the
 * sysctl `fs.inotify.max_user_instances`) or the process too many descriptors; `ENFILE`, `ENOMEM`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/inotify_init1.2.html}
 */
export function inotifyInit1(flags: number = 0): number {
  flagsOf(flags);
  return check(raw.inotifyInit1(flags), "inotify_init1", () => "create a queue of file events");
}

/**
 * Watches a file or a folder. A second call for the same file replaces the mask.
 *
 * @param queue Descriptor of `inotifyInit1()`.
 * @param path File or folder; links are followed.
 * @param mask Bits of `InotifyEvent`.
 * @returns The number of the watch, which its events carry.
 *
 * @throws {TypeError} When an argument has the wrong type.
 * @throws {RangeError} When `mask` is out of range.
 * @throws {SyscallError} `ENOENT`, `EACCES` when the path cannot be reached or read; `ENOSPC` when the
 * user has too many watches (the sysctl `fs.inotify.max_user_watches`); `EINVAL` for an empty mask or
 * a descriptor of another kind.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/inotify_add_watch.2.html}
 */
export function inotifyAddWatch(queue: FdLike, path: string, mask: number): number {
  const action = () => `watch ${describe(path)}`;
  if (typeof path !== "string") throw new TypeError(`Cannot ${action()}: expected a path`);
  unsignedOf(mask, "mask");
  const watch = raw.inotifyAddWatch(fdOf(queue, "queue"), path, mask);
  return check(watch, "inotify_add_watch", action);
}

/**
 * Ends a watch. An event with `InotifyEvent.IGNORED` follows.
 *
 * @param queue Descriptor of `inotifyInit1()`.
 * @param watch Number of the watch.
 *
 * @throws {RangeError} When `watch` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EINVAL` when there is no such watch.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/inotify_rm_watch.2.html}
 */
export function inotifyRmWatch(queue: FdLike, watch: number): void {
  integer(watch, "watch", 0, MAX_INT);
  const result = raw.inotifyRmWatch(fdOf(queue, "queue"), watch);
  check(result, "inotify_rm_watch", () => `end watch ${watch}`);
}
