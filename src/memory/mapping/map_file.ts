/** Maps a checked range of a file, or anonymous memory. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { errnoNumber, SyscallError } from "../../errors.ts";
import { check } from "../../sys/check.ts";
import * as raw from "../../sys/raw/mod.ts";
import type { Region } from "../../sys/region.ts";
import type { MapAccess, MappingState } from "./mapping_state.ts";
import { ExposedRegion } from "./exposed_region.ts";
import { faultGuard } from "../fault_guard/guard.ts";
import { MOST_ROWS, NO_SIZE, type Row } from "../fault_guard/table.ts";
import { asNoDevice, checkEmpty, type OpenFile } from "./open_file.ts";
import { assertRoom, mapped } from "../map_limit.ts";
import { giveUpRows } from "./region_quarantine.ts";

const { ANONYMOUS, PRIVATE, SHARED, SHARED_VALIDATE, NORESERVE, SYNC } = platform.map;
const READ = 1;
const READ_WRITE = 3;
/** `MAP_HUGE_SHIFT`, which equals `MFD_HUGE_SHIFT` of memfd_create(2). */
export const HUGE_SHIFT = 26;
const ENOMEM = -errnoNumber("ENOMEM");

const NOT_SHOWN = "this system reserves memory for every writable page, and does not have enough " +
  "(vm.overcommit_memory=2, or a limit on data); use read(), map less of the file, or open it with " +
  'access "write"';

/** What to map. */
export interface FileRange {
  readonly access: MapAccess;
  readonly offset: number;
  readonly length: number;
  readonly sync: boolean;
}

/** Maps a range that the file has. On failure, the caller still owns the file. */
export function mapFile(
  file: OpenFile,
  { access, offset, length, sync }: FileRange,
  pageSize: number = file.pageSize,
): MappingState {
  const delta = offset % pageSize;
  const base = {
    name: file.name,
    access,
    delta,
    length,
    pageSize,
    offset,
    sync,
    shift: undefined,
    file,
  };
  if (length === 0) {
    if (file.size === 0) checkEmpty(file);
    return { ...base, exposed: undefined, hidden: undefined };
  }
  const size = Math.ceil((delta + length) / pageSize) * pageSize;
  const { region, hidden } = map(file, access, size, offset - delta, sync);
  const row = watch(region, file, pageSize, offset - delta);
  return { ...base, exposed: new ExposedRegion(region, row, delta + length, pageSize), hidden };
}

/** Maps zeroed memory without a file; `shift` is the binary logarithm of the size of huge pages. */
export function mapAnonymous(length: number, pageSize: number, shift?: number): MappingState {
  const name = `${length} bytes of memory`;
  const base = { name, access: "write", delta: 0, length, pageSize, offset: 0 } as const;
  const flags = shift === undefined ? 0 : platform.map.HUGETLB | shift << HUGE_SHIFT;
  const rest = { ...base, sync: false, shift, file: undefined, hidden: undefined };
  if (length === 0) return { ...rest, exposed: undefined };
  const size = Math.ceil(length / pageSize) * pageSize;
  assertRoom(() => `allocate ${name}`);
  const region = check(
    mapped(() => raw.mmap(size, READ_WRITE, PRIVATE | ANONYMOUS | flags, -1, 0)),
    "mmap",
    () => `allocate ${name}`,
  );
  return { ...rest, exposed: new ExposedRegion(region, undefined, length, pageSize) };
}

function map(
  file: OpenFile,
  access: MapAccess,
  size: number,
  offset: number,
  sync: boolean,
): { region: Region; hidden: string | undefined } {
  const { fd, name } = file;
  const shared = sync ? SHARED_VALIDATE | SYNC : SHARED;
  // Map all pages writable, because a stray store into a read-only page raises a signal. Without
  // NORESERVE, the kernel would charge memory for the whole file.
  const flags = access === "write" ? shared : PRIVATE | NORESERVE;
  assertRoom(() => `map ${name}`);
  let region = mapped(() => raw.mmap(size, READ_WRITE, flags, fd, offset));
  let hidden: string | undefined;
  if (region === ENOMEM && access === "read") {
    // The kernel charges memory even so. Map read-only instead, and show no buffers.
    region = raw.mmap(size, READ, SHARED, fd, offset);
    hidden = NOT_SHOWN;
  }
  return {
    region: check(asNoDevice(region), "mmap", () => `map ${size} bytes of ${name}`),
    hidden,
  };
}

function watch(
  region: Region,
  file: OpenFile,
  pageSize: number,
  fileOffset: number,
): Row | undefined {
  const table = faultGuard();
  const range = { region, pageSize, fileOffset, fd: file.regular ? file.fd : NO_SIZE };
  const row = table?.watch(range);
  if (row !== undefined || table === undefined) return row;
  giveUpRows();
  return table.watch(range) ?? tooMany(region, file.name);
}

function tooMany(region: Region, name: string): never {
  raw.munmap(region);
  throw new SyscallError({
    syscall: "mmap",
    errno: -ENOMEM,
    action: `map ${name}: ${MOST_ROWS} files are mapped`,
  });
}
