/** Raw calls on files and descriptors. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { sizeOf } from "../../bytes.ts";
import { libc } from "../libc.ts";
import { iovecs } from "./iovec.ts";

const padding: bigint[] = new Array(platform.variadicPadding).fill(0n);
const cell = new Cell(8);

/** `close(fd)`. Linux frees the number even if the call fails: never call it twice. */
export function close(fd: number): number {
  return fold(libc().close(fd));
}

/** `read(fd, target, target.length)`. */
export function read(fd: number, target: Uint8Array): number {
  return fold(libc().read(fd, target, BigInt(sizeOf(target))));
}

/** `write(fd, source, source.length)`. Raises no SIGPIPE: all three runtimes ignore it. */
export function write(fd: number, source: Uint8Array): number {
  return fold(libc().write(fd, source, BigInt(sizeOf(source))));
}

/** `pread(fd, target, target.length, offset)`. */
export function pread(fd: number, target: Uint8Array, offset: number): number {
  return fold(libc().pread(fd, target, BigInt(sizeOf(target)), BigInt(offset)));
}

/** `pwrite(fd, source, source.length, offset)`. */
export function pwrite(fd: number, source: Uint8Array, offset: number): number {
  return fold(libc().pwrite(fd, source, BigInt(sizeOf(source)), BigInt(offset)));
}

/** `preadv2(fd, target, count, offset, flags)`; offset -1 means the file position. */
export function preadv2(
  fd: number,
  target: Uint8Array | readonly Uint8Array[],
  offset: number,
  flags: number,
): number {
  const { address, count } = iovecs(target);
  return fold(libc().preadv2(fd, address, count, BigInt(offset), flags));
}

/** `pwritev2(fd, source, count, offset, flags)`; offset -1 means the file position. */
export function pwritev2(
  fd: number,
  source: Uint8Array | readonly Uint8Array[],
  offset: number,
  flags: number,
): number {
  const { address, count } = iovecs(source);
  return fold(libc().pwritev2(fd, address, count, BigInt(offset), flags));
}

/** `lseek(fd, offset, whence)`: the new position, or `-errno`. */
export function lseek(fd: number, offset: number, whence: number): number {
  return fold(libc().lseek(fd, BigInt(offset), whence));
}

/** `ftruncate(fd, length)`. */
export function ftruncate(fd: number, length: number): number {
  return fold(libc().ftruncate(fd, BigInt(length)));
}

/** `fallocate(fd, mode, offset, length)`. */
export function fallocate(fd: number, mode: number, offset: number, length: number): number {
  return fold(libc().fallocate(fd, mode, BigInt(offset), BigInt(length)));
}

/** `fcntl(fd, command, argument)`, for commands with an integer argument. */
export function fcntl(fd: number, command: number, argument: number): number {
  // Spreading even an empty array is slow on Deno.
  return padding.length === 0
    ? fold(libc().fcntl(fd, command, BigInt(argument)))
    : fold(libc().fcntl(fd, command, ...padding, BigInt(argument)));
}

/** `ioctl(fd, request, &value)`: the `int` that the request stores, or `-errno`. */
export function ioctlInt(fd: number, request: number): number {
  cell.view.setBigInt64(0, 0n, true);
  const result = fold(libc().ioctl(fd, BigInt(request), ...padding, cell.address));
  return result < 0 ? result : cell.view.getInt32(0, true);
}

/** `ioctl(fd, request, argument)`, for requests with an integer argument. */
export function ioctl(fd: number, request: number, argument: number): number {
  return fold(libc().ioctl(fd, BigInt(request), ...padding, BigInt(argument)));
}
