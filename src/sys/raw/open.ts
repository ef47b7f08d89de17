/** Raw calls that open and name files. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { ENAMETOOLONG, ENOSYS } from "../../errno.ts";
import { libc } from "../libc.ts";
import { PathCell } from "./path_cell.ts";
import { syscall } from "./syscall.ts";

const how = new Cell(24);
const stats = new Cell(256);
/** Two `struct timespec`. */
const times = new Cell(32);
const SECOND = 1_000_000_000n;
const padding: bigint[] = new Array(platform.variadicPadding).fill(0n);
const later: bigint[] = padding.slice(1);
const encoder = new TextEncoder();

const place = new PathCell();
const newPlace = new PathCell();

/** `open(path, flags, mode)`. */
export function open(path: string, flags: number, mode: number): number {
  if (!place.put(path)) return ENAMETOOLONG;
  // Spreading even an empty array is slow on Deno.
  return padding.length === 0
    ? fold(libc().open(place.address, flags, mode))
    : fold(libc().open(place.address, flags, ...padding, mode));
}

/** `openat(dir, path, flags, mode)`. */
export function openat(dir: number, path: string, flags: number, mode: number): number {
  if (!place.put(path)) return ENAMETOOLONG;
  return later.length === 0
    ? fold(libc().openat(dir, place.address, flags, mode))
    : fold(libc().openat(dir, place.address, flags, ...later, mode));
}

/** `openat2(dir, path, &{ flags, mode, resolve }, 24)`. */
export function openat2(
  dir: number,
  path: string,
  flags: number,
  mode: number,
  resolve: number,
): number {
  const { openat2 } = platform.syscalls;
  // syscall(2) on macOS uses other numbers.
  if (openat2 < 0) return ENOSYS;
  if (!place.put(path)) return ENAMETOOLONG;
  how.view.setBigUint64(0, BigInt(flags), true);
  how.view.setBigUint64(8, BigInt(mode), true);
  how.view.setBigUint64(16, BigInt(resolve), true);
  // Without the list of arguments that syscall() makes: this runs for every small file.
  const size = BigInt(how.bytes.length);
  const { address } = place;
  return fold(libc().syscall(BigInt(openat2), BigInt(dir), address, how.address, size, 0n, 0n));
}

/** `statx(dir, path, flags, mask, target)`; `target` holds 256 bytes. */
export function statx(
  dir: number,
  path: string,
  flags: number,
  mask: number,
  target: Uint8Array,
): number {
  if (!place.put(path)) return ENAMETOOLONG;
  const result = fold(libc().statx(dir, place.address, flags, mask, stats.address));
  target.set(stats.bytes);
  return result;
}

/** `fchmod(fd, mode)`. */
export function fchmod(fd: number, mode: number): number {
  return fold(libc().fchmod(fd, mode));
}

/** `renameat(dir, path, newDir, newPath)`. */
export function renameat(dir: number, path: string, newDir: number, newPath: string): number {
  if (!place.put(path) || !newPlace.put(newPath)) return ENAMETOOLONG;
  return fold(libc().renameat(dir, place.address, newDir, newPlace.address));
}

/** `renameat2(dir, path, newDir, newPath, flags)`; `-ENOSYS` if the system lacks it. */
export function renameat2(
  dir: number,
  path: string,
  newDir: number,
  newPath: string,
  flags: number,
): number {
  const { renameat2 } = platform.unwrapped;
  return syscall(renameat2, dir, cString(path), newDir, cString(newPath), flags);
}

/** `linkat(dir, path, newDir, newPath, flags)`. */
export function linkat(
  dir: number,
  path: string,
  newDir: number,
  newPath: string,
  flags: number,
): number {
  if (!place.put(path) || !newPlace.put(newPath)) return ENAMETOOLONG;
  return fold(libc().linkat(dir, place.address, newDir, newPlace.address, flags));
}

/** `futimens(fd, { accessed, modified })`, in nanoseconds since 1970; negative before that. */
export function futimens(fd: number, accessedNs: bigint, modifiedNs: bigint): number {
  [accessedNs, modifiedNs].forEach((time, index) => {
    const rest = ((time % SECOND) + SECOND) % SECOND;
    times.view.setBigInt64(index * 16, (time - rest) / SECOND, true);
    times.view.setBigInt64(index * 16 + 8, rest, true);
  });
  return fold(libc().futimens(fd, times.address));
}

/** `unlinkat(dir, path, flags)`. */
export function unlinkat(dir: number, path: string, flags: number): number {
  return place.put(path) ? fold(libc().unlinkat(dir, place.address, flags)) : ENAMETOOLONG;
}

/** `memfd_create(name, flags)`. */
export function memfdCreate(name: string, flags: number): number {
  return fold(libc().memfd_create(cString(name), flags));
}

/** Encodes a string in UTF-8 with a final NUL, as C expects. */
/** `inotify_add_watch(fd, path, mask)`. */
export function inotifyAddWatch(fd: number, path: string, mask: number): number {
  return fold(libc().inotify_add_watch(fd, cString(path), mask));
}

function cString(text: string): Uint8Array {
  return encoder.encode(`${text}\0`);
}
