/** Raw calls that open and name files. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { errnoNumber } from "../../errors.ts";
import { libc } from "../libc.ts";
import { syscall } from "./syscall.ts";

const how = new Cell(24);
const stats = new Cell(256);
/** Two `struct timespec`. */
const times = new Cell(32);
const SECOND = 1_000_000_000n;
/** A path and its NUL; the kernel also rejects longer ones: `PATH_MAX`. */
const place = new Cell(4097);
const padding: bigint[] = new Array(platform.variadicPadding).fill(0n);
const encoder = new TextEncoder();

/** `open(path, flags, mode)`. */
export function open(path: string, flags: number, mode: number): number {
  return fold(libc().open(cString(path), flags, ...padding, mode));
}

/** `openat(dir, path, flags, mode)`. */
export function openat(dir: number, path: string, flags: number, mode: number): number {
  return fold(libc().openat(dir, cString(path), flags, ...padding.slice(1), mode));
}

/** `openat2(dir, path, &{ flags, mode, resolve }, 24)`. */
export function openat2(
  dir: number,
  path: string,
  flags: number,
  mode: number,
  resolve: number,
): number {
  // Passed by address: this runs for every small file, and an array per call would be slower.
  const { read, written } = encoder.encodeInto(path, place.bytes.subarray(0, -1));
  if (read < path.length) return -errnoNumber("ENAMETOOLONG");
  place.bytes[written] = 0;
  how.view.setBigUint64(0, BigInt(flags), true);
  how.view.setBigUint64(8, BigInt(mode), true);
  how.view.setBigUint64(16, BigInt(resolve), true);
  return syscall(platform.syscalls.openat2, dir, place.address, how.address, how.bytes.length);
}

/** `statx(dir, path, flags, mask, target)`; `target` holds 256 bytes. */
export function statx(
  dir: number,
  path: string,
  flags: number,
  mask: number,
  target: Uint8Array,
): number {
  const result = fold(libc().statx(dir, cString(path), flags, mask, stats.address));
  target.set(stats.bytes);
  return result;
}

/** `fchmod(fd, mode)`. */
export function fchmod(fd: number, mode: number): number {
  return fold(libc().fchmod(fd, mode));
}

/** `renameat(dir, path, newDir, newPath)`. */
export function renameat(dir: number, path: string, newDir: number, newPath: string): number {
  return fold(libc().renameat(dir, cString(path), newDir, cString(newPath)));
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
  return fold(libc().linkat(dir, cString(path), newDir, cString(newPath), flags));
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
  return fold(libc().unlinkat(dir, cString(path), flags));
}

/** `memfd_create(name, flags)`. */
export function memfdCreate(name: string, flags: number): number {
  return fold(libc().memfd_create(cString(name), flags));
}

/** Encodes a string in UTF-8 with a final NUL, as C expects. */
function cString(text: string): Uint8Array {
  return encoder.encode(`${text}\0`);
}
