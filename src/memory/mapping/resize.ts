/** Fitting a mapping to its file, and the file to its mapping. @module */

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

/** What is asked for, before the file is known. */
export interface Wanted {
  readonly access: MapAccess;
  readonly offset: number;
  readonly length: number | undefined;
  readonly sync: boolean;
}

/** The range that the file has, or is made to have. */
export function fit(file: OpenFile, wanted: Wanted): FileRange {
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

/** Maps another length, and keeps what a private mapping has stored. */
export function resize(mapping: object, length: number): void {
  const old = openState(mapping);
  if (old === undefined) throw new TypeError("Cannot resize a mapping: it is closed");
  wholeNumber(length, "length", "resize a mapping");
  const { access, offset, sync, name, file: open } = old;
  if (open === undefined) return reallocate(mapping, old, length);
  const size = check(sizeOf(open.fd, open.regular), "statx", () => `size ${name}`);
  const file = { ...open, size };
  const end = offset + length;
  const range = fit(file, { access, offset, length, sync });
  const state = mapFile(file, range, old.pageSize);
  const { exposed } = old;
  if (access === "copy-on-write" && state.exposed !== undefined && exposed !== undefined) {
    // Nobody has stored into what was never shown, and has not got stored pages from before.
    if (exposed.shown || exposed.inherited) keep(exposed, state.exposed);
  }
  adopt(mapping, state);
  exposed?.end();
  // The file ended with the mapping. Nobody sees the pages that go: they have been replaced.
  if (access === "write" && open.regular && end < size && size <= offset + old.length) {
    check(ftruncate(open.fd, end), "ftruncate", () => `cut ${name} to ${end} bytes`);
  }
}

/** As above, for memory without a file. */
function reallocate(mapping: object, old: MappingState, length: number): void {
  const state = mapAnonymous(length, old.pageSize, old.shift);
  if (old.exposed !== undefined && state.exposed !== undefined) keep(old.exposed, state.exposed);
  adopt(mapping, state);
  old.exposed?.end();
}

/** Moves the private pages, which takes no memory; what cannot be moved is copied. */
function keep(from: ExposedRegion, to: ExposedRegion): void {
  to.inherited = true;
  move(from, to, 0, Math.min(from.region.length, to.region.length));
}

function move(from: ExposedRegion, to: ExposedRegion, offset: number, length: number): void {
  const result = moveOver(from.region, to.region, offset, length);
  if (result === 0) return;
  const { pageSize } = to;
  // Advice for a part has split the mapping: each piece by itself.
  if (result === EFAULT && length > pageSize) {
    const half = Math.floor(length / 2 / pageSize) * pageSize;
    move(from, to, offset, half);
    move(from, to, offset + half, length - half);
    return;
  }
  // Before Linux 5.13 the pages of files cannot be moved and stay.
  const target = to.show(offset, Math.min(length, to.visible - offset), () => {});
  const { pid } = builtin("process");
  for (let at = 0; at < target.length;) {
    const count = readFrom(pid, from.region, offset + at, target.subarray(at));
    if (count <= 0) return;
    at += count;
  }
}
