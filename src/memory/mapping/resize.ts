/** Fits a mapping to its file, and the file to its mapping. @module */

import { EFAULT } from "../../errno.ts";
import { wholeNumber } from "../../options.ts";
import { check } from "../../sys/check.ts";
import { moveOver, readFrom } from "../../sys/raw/fixed.ts";
import { ftruncate } from "../../sys/raw/mod.ts";
import { builtin } from "../../builtins.ts";
import { adopt, type MapAccess, type MappingState, openState } from "./mapping_state.ts";
import type { ExposedRegion } from "./exposed_region.ts";
import { type FileRange, mapAnonymous, mapFile } from "./map_file.ts";
import { type OpenFile, sizeOf } from "./open_file.ts";

/** The requested mapping, before the file is known. */
export interface Wanted {
  readonly access: MapAccess;
  readonly offset: number;
  readonly length: number | undefined;
  readonly sync: boolean;
}

/** Returns the range to map. Extends the file if the access allows it. */
function fit(file: OpenFile, wanted: Wanted): FileRange {
  const { name, size, regular, fd } = file;
  const { access, offset, length = size - offset } = wanted;
  const end = offset + length;
  if (length >= 0 && end <= size) return { ...wanted, length };
  if (!regular || access !== "write" || length < 0) {
    throw new RangeError(
      `Cannot map ${Math.max(0, length)} bytes from byte ${offset} of ${name}: ` +
        `the file has ${size} bytes`,
    );
  }
  wholeNumber(end, "offset + length", "map a file");
  check(ftruncate(fd, end), "ftruncate", () => `grow ${name} to ${end} bytes`);
  return { ...wanted, length };
}

/** Fits the file and maps it. A file that was extended for nothing gets its length back. */
export function mapFitted(file: OpenFile, wanted: Wanted, pageSize?: number): MappingState {
  const range = fit(file, wanted);
  try {
    return mapFile(file, range, pageSize);
  } catch (error) {
    const { fd, regular, size } = file;
    const end = range.offset + range.length;
    if (end > size && sizeOf(fd, regular) === end) ftruncate(fd, size);
    throw error;
  }
}

/** Maps another length, and keeps the stores of a private mapping. */
export function resize(mapping: object, length: number): void {
  const old = openState(mapping);
  if (old === undefined) throw new TypeError("Cannot resize a mapping: it is closed");
  wholeNumber(length, "length", "resize a mapping");
  const { access, offset, sync, name, file: open } = old;
  if (open === undefined) return reallocate(mapping, old, length);
  const size = check(sizeOf(open.fd, open.regular), "statx", () => `size ${name}`);
  const file = { ...open, size };
  const end = offset + length;
  const state = mapFitted(file, { access, offset, length, sync }, old.pageSize);
  const { exposed } = old;
  if (access === "copy-on-write" && state.exposed !== undefined && exposed !== undefined) {
    // A region that was never shown, and got no modified pages by a move, holds no stores.
    if (exposed.shown || exposed.inherited) keep(exposed, state.exposed);
  }
  adopt(mapping, state);
  exposed?.end();
  // The file ended with the mapping. No view shows the pages cut off: they have been replaced.
  if (access === "write" && open.regular && end < size && size <= offset + old.length) {
    check(ftruncate(open.fd, end), "ftruncate", () => `cut ${name} to ${end} bytes`);
  }
}

/** Like {@linkcode resize}, for memory without a file. */
function reallocate(mapping: object, old: MappingState, length: number): void {
  const state = mapAnonymous(length, old.pageSize, old.shift);
  if (old.exposed !== undefined && state.exposed !== undefined) keep(old.exposed, state.exposed);
  adopt(mapping, state);
  old.exposed?.end();
}

/** Moves private pages, which needs no memory; copies the pages that cannot move. */
function keep(from: ExposedRegion, to: ExposedRegion): void {
  to.inherited = true;
  move(from, to, 0, Math.min(from.region.length, to.region.length));
}

function move(from: ExposedRegion, to: ExposedRegion, offset: number, length: number): void {
  const result = moveOver(from.region, to.region, offset, length);
  if (result === 0) return;
  const { pageSize } = to;
  // Advice on a part has split the mapping: move each piece separately.
  if (result === EFAULT && length > pageSize) {
    const half = Math.floor(length / 2 / pageSize) * pageSize;
    move(from, to, offset, half);
    move(from, to, offset + half, length - half);
    return;
  }
  // Before Linux 5.13, pages of files cannot be moved.
  const target = to.show(offset, Math.min(length, to.visible - offset), () => {});
  const { pid } = builtin("process");
  for (let at = 0; at < target.length;) {
    const count = readFrom(pid, from.region, offset + at, target.subarray(at));
    if (count <= 0) return;
    at += count;
  }
}
