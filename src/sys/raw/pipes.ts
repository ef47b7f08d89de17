/** Raw calls on pipes, and calls that move bytes inside the kernel. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { libc } from "../libc.ts";
import { regionIovecs, type RegionRange } from "./iovec.ts";

// The `off_t *` arguments. Calls are synchronous, so two cells are enough.
const first = new Cell(8);
const second = new Cell(8);

/** Fills a cell. `null` becomes a null pointer, which makes the call use the file position. */
function pointer(cell: Cell, offset: number | null): bigint {
  if (offset === null) return 0n;
  // Written in two halves: a bigint would become garbage, and this runs thousands of times per
  // gigabyte.
  cell.view.setUint32(0, offset >>> 0, true);
  cell.view.setInt32(4, Math.floor(offset / 0x1_0000_0000), true);
  return cell.address;
}

/** Filled by pipe2(2): the caller's array may be too short. */
const pair = new Int32Array(2);
const pairBytes = new Uint8Array(pair.buffer);

let lastCount = 0;
let lastBigCount = 0n;

/** `BigInt(count)`, cached: loops pass the same count repeatedly. */
function big(count: number): bigint {
  if (count !== lastCount) {
    lastBigCount = BigInt(count);
    lastCount = count;
  }
  return lastBigCount;
}

/** `sendfile(out, in, &offset, count)`: bytes moved, 0 at the end of the file, or `-errno`. */
export const sendfile: (out: number, from: number, offset: number | null, count: number) => number =
  platform.os === "darwin" ? sendfileDarwin : sendfileLinux;

function sendfileLinux(out: number, from: number, offset: number | null, count: number): number {
  return fold(libc().sendfile(out, from, pointer(first, offset), big(count)));
}

/** macOS takes the file first, requires an offset, and may move bytes and fail in one call. */
function sendfileDarwin(out: number, from: number, offset: number | null, count: number): number {
  const call = libc().sendfile as unknown as (
    file: number,
    socket: number,
    offset: bigint,
    length: bigint,
    headers: bigint,
    flags: number,
  ) => number;
  const start = offset === null ? BigInt(libc().lseek(from, 0n, 1)) : BigInt(offset);
  first.view.setBigInt64(0, BigInt(count), true);
  const result = fold(call(from, out, start, first.address, 0n, 0));
  const moved = Number(first.view.getBigInt64(0, true));
  if (moved > 0 && offset === null) libc().lseek(from, start + BigInt(moved), 0);
  return moved > 0 ? moved : result;
}

/**
 * `splice(in, &inOffset, out, &outOffset, count, flags)`: bytes moved, 0 at the end, or `-errno`.
 */
export function splice(
  from: number,
  fromOffset: number | null,
  out: number,
  outOffset: number | null,
  count: number,
  flags: number,
): number {
  return fold(
    libc().splice(
      from,
      pointer(first, fromOffset),
      out,
      pointer(second, outOffset),
      big(count),
      flags,
    ),
  );
}

/** `tee(in, out, count, flags)`: bytes duplicated, 0 when all writers have closed, or `-errno`. */
export function tee(from: number, out: number, count: number, flags: number): number {
  return fold(libc().tee(from, out, BigInt(count), flags));
}

/** `vmsplice(pipe, memory, count, flags)`: bytes now shared with the pipe, or `-errno`. */
export function vmsplice(pipe: number, memory: readonly RegionRange[], flags: number): number {
  const { address, count } = regionIovecs(memory);
  return fold(libc().vmsplice(pipe, address, BigInt(count), flags));
}

/** `copy_file_range(in, &inOffset, out, &outOffset, count, flags)`: bytes copied, or `-errno`. */
export function copyFileRange(
  from: number,
  fromOffset: number | null,
  out: number,
  outOffset: number | null,
  count: number,
  flags: number = 0,
): number {
  return fold(
    libc().copy_file_range(
      from,
      pointer(first, fromOffset),
      out,
      pointer(second, outOffset),
      BigInt(count),
      flags,
    ),
  );
}

/** `pipe2(fds, flags)`: fills `fds` with the read end and the write end; 0, or `-errno`. */
export function pipe2(fds: Int32Array, flags: number): number {
  const result = fold(libc().pipe2(pairBytes, flags));
  [fds[0], fds[1]] = pair as unknown as [number, number];
  return result;
}
